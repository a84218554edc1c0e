#include "kube/workload_identity.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "base/backoff.h"
#include "base/log.h"
#include "base/text.h"
#include "http/dial.h"
#include "http/grpc_client.h"
#include "io/loop.h"
#include "istio/v1/ca.pb.h"
#include "tls/certificate.h"
#include "tls/context.h"
#include "tls/csr.h"
#include "tls/jwt.h"

namespace weft::kube {
namespace {

constexpr std::string_view create_certificate = "/istio.v1.auth.IstioCertificateService/CreateCertificate";
constexpr std::size_t bundle_bytes_max = 256 * 1024;
constexpr auto retry_first = std::chrono::seconds(1);
constexpr auto retry_longest = std::chrono::seconds(60);

// Small mounted files, so reading them on the loop's thread is no wait worth the name.
Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return fail(Code::io, str_cat(path, ": ", std::strerror(errno)));
  std::string out(bytes_max + 1, '\0');
  std::size_t size = 0;
  while (size < out.size()) {
    const ssize_t count = ::read(file, out.data() + size, out.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const int error = errno;
      ::close(file);
      return fail(Code::io, str_cat(path, ": ", std::strerror(error)));
    }
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  ::close(file);
  if (size > bytes_max) return fail(Code::limit, str_cat(path, ": larger than ", bytes_max, " bytes"));
  out.resize(size);
  return out;
}

Result<std::string> read_token(const std::string& path) {
  auto text = read_file(path, tls::token_bytes_max);
  if (!text) return fail(text.error().in("the service-account token cannot be read"));
  while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
  if (text->empty())
    return fail(Code::invalid, str_cat("the service-account token file ", path, " is empty"));
  return text;
}

Result<std::shared_ptr<const tls::TrustBundle>> read_bundle(const WorkloadIdentityOptions& options) {
  auto pem = read_file(options.bundle_file, bundle_bytes_max);
  if (!pem) return fail(pem.error().in("the trust bundle cannot be read"));
  auto bundle = tls::TrustBundle::from_pem(*pem, options.id.trust_domain);
  if (!bundle) return fail(bundle.error().in(str_cat("the trust bundle ", options.bundle_file)));
  return bundle;
}

// The bootstrap roots and the one at the end of the CA's reply: a rotated root arrives here long before the
// file.
std::shared_ptr<const tls::TrustBundle> with_root_of(const tls::TrustBundle& bootstrap,
                                                     const std::vector<std::string>& chain_pem) {
  std::vector<tls::Certificate> roots = bootstrap.roots();
  for (const std::string& pem : chain_pem) {
    const auto parsed = tls::parse_chain(pem);
    if (!parsed) continue;
    for (const tls::Certificate& certificate : *parsed)
      if (certificate.is_ca() && certificate.is_self_signed() &&
          std::find(roots.begin(), roots.end(), certificate) == roots.end())
        roots.push_back(certificate);
  }
  return std::make_shared<const tls::TrustBundle>(std::move(roots), bootstrap.trust_domain());
}

struct HostPort {
  std::string host;  // without brackets
  std::uint16_t port = 0;
};
Result<HostPort> split_host_port(std::string_view text) {
  if (const auto address = Address::parse(text)) return HostPort{address->ip.to_string(), address->port};
  const std::size_t colon = text.rfind(':');
  if (colon != std::string_view::npos && colon > 0) {
    const auto port = parse_number<std::uint16_t>(text.substr(colon + 1));
    if (port && *port != 0) return HostPort{std::string(text.substr(0, colon)), *port};
  }
  return fail(Code::invalid, str_cat("CA address '", printable(text), "': expected HOST:PORT"));
}

}  // namespace

WallTime renewal_time(WallTime not_before, WallTime not_after, double unit) {
  const auto life = std::chrono::duration_cast<Duration>(not_after - not_before);
  const double part = 0.45 + 0.1 * unit;  // half, ±10 % of it
  return not_before + std::chrono::duration_cast<WallTime::duration>(life * part);
}

class WorkloadIdentity::Impl {
 public:
  Impl(io::Loop& loop, io::Resolver& resolver, Random& random, WorkloadIdentityOptions options,
       Changed changed)
      : loop_(loop),
        resolver_(resolver),
        random_(random),
        options_(std::move(options)),
        changed_(std::move(changed)),
        backoff_(retry_first, retry_longest) {
    timer_ = loop_.make_timer(anchor_.guard([this] { attempt(); }));
  }

  void renew() {
    if (call_ != nullptr || starting_) return;
    starting_ = true;  // never inside the caller's own call
    loop_.defer(anchor_.guard([this] { attempt(); }));
  }

  const WorkloadCredentials& credentials() const { return credentials_; }
  const std::optional<Error>& last_error() const { return last_error_; }
  std::optional<WallTime> next_attempt() const { return next_attempt_; }
  std::uint64_t issued() const { return issued_; }
  std::uint64_t failures() const { return failures_; }

 private:
  void attempt() {
    starting_ = false;
    if (call_ != nullptr) return;
    timer_->stop();
    next_attempt_.reset();
    if (const Status sent = send_request(); !sent) failed(sent.error());
  }

  Status send_request() {
    WEFT_ASSIGN(const HostPort ca, split_host_port(options_.ca_address));
    WEFT_ASSIGN(bootstrap_, read_bundle(options_));
    WEFT_ASSIGN(const std::string token, read_token(options_.token_file));
    auto key = tls::PrivateKey::generate();
    if (!key) return fail(key.error());
    WEFT_ASSIGN(const std::string csr, tls::make_csr(*key, options_.id));
    WEFT_ASSIGN(auto context, tls::Context::client(nullptr, bootstrap_));

    istio::v1::auth::IstioCertificateRequest request;
    request.set_csr(csr);
    request.set_validity_duration(options_.lifetime.count());
    codec::Headers metadata;
    metadata.add("authorization", str_cat("Bearer ", token));

    open_channel(ca, std::move(context));
    call_ =
        channel_->call(create_certificate, metadata, request.SerializeAsString(), options_.attempt_timeout,
                       anchor_.guard([this, key = *std::move(key)](Result<http::GrpcReply> reply) mutable {
                         reply_came(std::move(key), std::move(reply));
                       }));
    return {};
  }

  // A channel for this one call: it is made anew with the bundle as it now is.
  void open_channel(const HostPort& ca, std::shared_ptr<const tls::Context> context) {
    http::DialTarget target;
    target.address.port = ca.port;
    target.context = std::move(context);
    target.expected_identity = options_.ca_id;
    target.server_name = options_.ca_server_name;
    if (target.server_name.empty() && !IpAddress::parse(ca.host)) target.server_name = ca.host;
    target.alpn = {"h2"};
    http::GrpcChannelOptions options;
    options.target = str_cat("the CA at ", options_.ca_address);
    options.authority = options_.ca_address;
    options.connect_timeout = options_.attempt_timeout;
    channel_ = std::make_unique<http::GrpcChannel>(
        loop_, random_, std::move(options),
        [loop = &loop_, resolver = &resolver_, host = ca.host,
         target = std::move(target)](http::GrpcChannel::ConnectDone done) {
          return http::dial_host(*loop, *resolver, host, target, std::move(done));
        });
  }

  void reply_came(tls::PrivateKey key, Result<http::GrpcReply> reply) {
    loop_.delete_later(std::move(call_));
    loop_.delete_later(std::move(channel_));
    if (!reply) return failed(reply.error());
    if (const Status taken = take(std::move(key), *reply); !taken) return failed(taken.error());
    last_error_.reset();
    backoff_.reset();
    ++issued_;
    const tls::Svid& svid = *credentials_.svid;
    const WallTime now = loop_.wall_now();
    const WallTime renewal = renewal_time(svid.not_before, svid.not_after, random_.unit());
    schedule(std::max(renewal, now + std::chrono::seconds(1)));
    log::info("certificate received", {{"identity", svid.id.to_string()},
                                       {"expires", format_time(svid.not_after)},
                                       {"renewal", format_time(*next_attempt_)}});
    if (changed_) changed_(credentials_);
  }

  Status take(tls::PrivateKey key, const http::GrpcReply& reply) {
    const std::string ca = str_cat("the CA at ", options_.ca_address);
    if (!reply.status.ok()) {
      const bool token_refused = reply.status.code == codec::GrpcCode::unauthenticated;
      const bool here = reply.status.code == codec::GrpcCode::unavailable;
      return fail(here ? Code::unavailable : Code::refused,
                  str_cat(ca, token_refused ? " refused the token: " : " refused the request: ",
                          reply.status.message, " (", codec::grpc_code_name(reply.status.code), ")"));
    }
    istio::v1::auth::IstioCertificateResponse response;
    if (!response.ParseFromString(reply.message))
      return fail(Code::invalid, str_cat(ca, ": its reply is no certificate chain"));
    const std::vector<std::string> chain(response.cert_chain().begin(), response.cert_chain().end());
    auto svid = tls::make_svid(std::move(key), chain);
    if (!svid) return fail(svid.error().in(str_cat(ca, ": its reply")));
    if ((*svid)->id != options_.id)
      return fail(Code::refused, str_cat(ca, ": its certificate is for ", (*svid)->id.to_string(),
                                         ", expected ", options_.id.to_string()));
    auto bundle = with_root_of(*bootstrap_, chain);
    if (const auto wrong = tls::verify_chain((*svid)->chain, *bundle, tls::Purpose::server, loop_.wall_now()))
      return fail(Code::refused, str_cat(ca, ": its certificate: ", wrong->message));
    credentials_ = {*std::move(svid), std::move(bundle)};
    return {};
  }

  void failed(const Error& error) {
    ++failures_;
    const bool first = credentials_.svid == nullptr;
    const bool expired = !first && credentials_.svid->not_after <= loop_.wall_now();
    const std::string_view state = first     ? "no certificate yet"
                                   : expired ? "the certificate has expired"
                                             : "not renewed";
    last_error_ = error.in(state);
    const Duration delay = backoff_.next(random_);
    schedule(loop_.wall_now() + std::chrono::duration_cast<WallTime::duration>(delay));
    log::warning(last_error_->message, {{"next_attempt", format_time(*next_attempt_)}});
  }

  void schedule(WallTime when) {
    next_attempt_ = when;
    timer_->start(std::chrono::duration_cast<Duration>(when - loop_.wall_now()));
  }

  io::Loop& loop_;
  io::Resolver& resolver_;
  Random& random_;
  WorkloadIdentityOptions options_;
  Changed changed_;
  Backoff backoff_;
  std::unique_ptr<io::Timer> timer_;
  std::shared_ptr<const tls::TrustBundle> bootstrap_;
  std::unique_ptr<http::GrpcChannel> channel_;
  std::unique_ptr<http::GrpcCall> call_;
  bool starting_ = false;
  WorkloadCredentials credentials_;
  std::optional<Error> last_error_;
  std::optional<WallTime> next_attempt_;
  std::uint64_t issued_ = 0;
  std::uint64_t failures_ = 0;
  Anchor anchor_;
};

WorkloadIdentity::WorkloadIdentity(io::Loop& loop, io::Resolver& resolver, Random& random,
                                   WorkloadIdentityOptions options, Changed changed)
    : impl_(std::make_unique<Impl>(loop, resolver, random, std::move(options), std::move(changed))) {}
WorkloadIdentity::~WorkloadIdentity() = default;

void WorkloadIdentity::start() { impl_->renew(); }
void WorkloadIdentity::renew_now() { impl_->renew(); }
const WorkloadCredentials& WorkloadIdentity::credentials() const { return impl_->credentials(); }
const std::optional<Error>& WorkloadIdentity::last_error() const { return impl_->last_error(); }
std::optional<WallTime> WorkloadIdentity::next_attempt() const { return impl_->next_attempt(); }
std::uint64_t WorkloadIdentity::issued() const { return impl_->issued(); }
std::uint64_t WorkloadIdentity::failures() const { return impl_->failures(); }

}  // namespace weft::kube
