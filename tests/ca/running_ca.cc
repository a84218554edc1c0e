#include "tests/ca/running_ca.h"

#include "base/text.h"
#include "http/dial.h"
#include "http/simple_client.h"
#include "istio/v1/ca.pb.h"

namespace weft::test {

std::string TokenIssuer::claims(const std::string& audience, Duration lifetime, bool pod) {
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(system_wall_now().time_since_epoch());
  const auto expiry = now + std::chrono::duration_cast<std::chrono::seconds>(lifetime);
  return str_cat(R"({"iss":"https://kubernetes.default.svc.cluster.local","aud":[")", audience,
                 R"("],"sub":"system:serviceaccount:default:a","iat":)", now.count() - 7200, R"(,"exp":)",
                 expiry.count(),
                 R"(,"kubernetes.io":{"namespace":"default","serviceaccount":{"name":"a","uid":"u1"})",
                 pod ? R"(,"pod":{"name":"a-1","uid":"p1"})" : "", "}}");
}

RunningCa::RunningCa(io::UvLoop& loop, std::vector<std::string> flags) : loop_(loop) {
  io::ProcessOptions options;
  options.argv = {WEFT_CA, "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"};
  options.argv.insert(options.argv.end(), flags.begin(), flags.end());
  options.standard_error = io::Stdio::pipe();
  process_ = io::spawn(loop, std::move(options), [this](io::ExitStatus status) { exited_ = status; }).value();
  output_.take(process_->take_stderr());
  run_until(loop_,
            [this] { return exited_ || output_.data.find("info weft-ca: ready") != std::string::npos; });
  address_ = value_of(" listen=");
  metrics_address_ = value_of(" metrics=");
}

std::string RunningCa::value_of(const std::string& key) const {
  const auto at = output_.data.find(key);
  if (at == std::string::npos) return {};
  const auto begin = at + key.size();
  return output_.data.substr(begin, output_.data.find_first_of(" \n", begin) - begin);
}

bool RunningCa::wait_for_exit() {
  return run_until(loop_, [this] { return exited_.has_value(); });
}
bool RunningCa::wait_for_output(const std::string& text) {
  return run_until(loop_, [&] { return output_.data.find(text) != std::string::npos; });
}

std::string RunningCa::get(const std::string& path) {
  http::FetchRequest request;
  request.head.method = "GET";
  request.head.target = path;
  request.head.authority = "ca";
  std::string answer;
  const auto fetching = http::fetch(
      loop_,
      [&](auto connected) {
        return loop_.connect(Address::parse(metrics_address_).value(), {}, std::move(connected));
      },
      std::move(request),
      [&](Result<http::FetchReply> reply) {
        answer = reply ? str_cat(reply->head.status, " ", reply->body) : reply.error().message;
      });
  run_until(loop_, [&] { return !answer.empty(); });
  return answer;
}

Result<CsrAnswer> RunningCa::create(const std::string& roots_pem, const std::string& authorization,
                                    const std::string& csr, std::int64_t validity_seconds) {
  http::DialTarget target;
  target.address = Address::parse(address_).value();
  target.context =
      tls::Context::client(nullptr, tls::TrustBundle::from_pem(roots_pem, "cluster.local").value()).value();
  target.expected_identity = SpiffeId{"cluster.local", "weft-system", "weft-ca"};
  target.server_name = "weft-ca.weft-system.svc";
  target.alpn = {"h2"};
  http::GrpcChannel channel(
      loop_, random_, http::GrpcChannelOptions{"CA", target.server_name},
      [&](http::GrpcChannel::ConnectDone done) { return http::dial(loop_, target, std::move(done)); });

  istio::v1::auth::IstioCertificateRequest request;
  request.set_csr(csr);
  request.set_validity_duration(validity_seconds);
  codec::Headers metadata;
  if (!authorization.empty()) metadata.add("authorization", authorization);
  std::optional<Result<http::GrpcReply>> reply;
  const auto call = channel.call("/istio.v1.auth.IstioCertificateService/CreateCertificate", metadata,
                                 request.SerializeAsString(), std::chrono::seconds(10),
                                 [&](Result<http::GrpcReply> result) { reply = std::move(result); });
  run_until(loop_, [&] { return reply.has_value(); });
  if (!reply) return fail(Code::timeout, "no answer");
  if (!*reply) return fail(reply->error());
  CsrAnswer answer{(*reply)->status, {}};
  istio::v1::auth::IstioCertificateResponse wire;
  if (!wire.ParseFromString((*reply)->message)) return fail(Code::invalid, "the answer is malformed");
  answer.chain.assign(wire.cert_chain().begin(), wire.cert_chain().end());
  return answer;
}

}  // namespace weft::test
