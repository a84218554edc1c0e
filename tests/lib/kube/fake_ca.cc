#include "tests/lib/kube/fake_ca.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "istio/v1/ca.pb.h"
#include "tls/csr.h"

namespace weft::test {

FakeCa::FakeCa(io::Loop& loop, const TestRoot& root, const Address& address)
    : loop_(loop), root_(root), server_(loop) {
  serve_as("spiffe://cluster.local/ns/weft-system/sa/weft-ca", "weft-ca.weft-system.svc");
  server_.add_unary("/istio.v1.auth.IstioCertificateService/CreateCertificate",
                    anchor_.guard([this](const http::GrpcRequest& request, std::string_view message,
                                         http::GrpcResponder responder) {
                      answer(request, message, std::move(responder));
                    }));
  listener_ =
      loop_.listen(address, {}, anchor_.guard([this](auto stream) { accepted(std::move(stream)); })).value();
}

FakeCa::~FakeCa() = default;

void FakeCa::serve_as(const std::string& id, const std::string& dns_name) {
  tls::CertificateTemplate leaf = root_.leaf(id);
  leaf.not_after = root_.now() + std::chrono::hours(24 * 300);
  leaf.dns_names = {dns_name};
  tls::ServerContextOptions options;
  options.alpn = {"h2"};
  options.require_client_certificate = false;
  context_ = tls::Context::server(root_.sign(leaf), nullptr, options).value();
}

void FakeCa::accepted(std::unique_ptr<io::Stream> stream) {
  const int number = next_handshake_++;
  handshakes_[number] =
      tls::handshake_server(loop_, std::move(stream), {}, context_, std::chrono::seconds(5),
                            anchor_.guard([this, number](Result<std::unique_ptr<tls::TlsStream>> secured) {
                              loop_.delete_later(std::move(handshakes_.at(number)));
                              handshakes_.erase(number);
                              if (secured) server_.accept(*std::move(secured), {});
                            }));
}

void FakeCa::answer(const http::GrpcRequest& request, std::string_view message,
                    http::GrpcResponder responder) {
  tokens.emplace_back(request.metadata.get("authorization").value_or("none"));
  istio::v1::auth::IstioCertificateRequest asked;
  ASSERT_TRUE(asked.ParseFromString(std::string(message)));
  lifetimes_asked.push_back(asked.validity_duration());
  if (silent) return unanswered_.push_back(std::move(responder));
  if (refuse_with) return responder.fail(*refuse_with);
  const auto csr = tls::parse_csr(asked.csr());
  ASSERT_TRUE(csr) << csr.error().message;
  const TestRoot& from = issue_from != nullptr ? *issue_from : root_;
  tls::CertificateTemplate leaf = from.leaf(issue_for.value_or(csr->uris.at(0)));
  leaf.not_before = loop_.wall_now() - std::chrono::seconds(60);
  leaf.not_after = std::chrono::time_point_cast<WallTime::duration>(loop_.wall_now() + lifetime);
  const auto certificate = tls::sign_certificate(leaf, csr->key, &from.certificate(), from.key());
  ASSERT_TRUE(certificate) << certificate.error().message;
  istio::v1::auth::IstioCertificateResponse reply;
  reply.add_cert_chain(certificate->to_pem());
  reply.add_cert_chain((reply_root != nullptr ? *reply_root : root_).certificate().to_pem());
  responder.reply(reply.SerializeAsString());
}

namespace {
class FakeResolving final : public io::Resolving {
 public:
  Anchor anchor;
};
}  // namespace

std::unique_ptr<io::Resolving> FakeResolver::resolve(const std::string& name, Done done) {
  auto resolving = std::make_unique<FakeResolving>();
  Result<std::vector<IpAddress>> answer = fail(Code::not_found, str_cat(name, ": no such name"));
  if (const auto address = IpAddress::parse(name)) answer = std::vector{*address};
  if (const auto found = names.find(name); found != names.end()) answer = found->second;
  loop_.defer(resolving->anchor.guard(
      [done = std::move(done), answer = std::move(answer)]() mutable { done(std::move(answer)); }));
  return resolving;
}

}  // namespace weft::test
