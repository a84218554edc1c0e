#include "http/health_probe.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/random.h"
#include "base/text.h"
#include "grpc/health/v1/health.pb.h"
#include "http/grpc_client.h"
#include "http/simple_client.h"
#include "tls/unverified_probe.h"

namespace weft::http {
namespace {

// The kubelet's numbers.
constexpr std::size_t answer_bytes_max = 10 * 1024;
constexpr unsigned redirects_max = 10;
// Of an answer's body, in the message of a failure.
constexpr std::size_t excerpt_bytes_max = 320;

// What all have in common: a time-out, and one result.
class ProbeBase : public ProbeUnderWay {
 public:
  ProbeBase(io::Loop& loop, HealthProbe probe, ProbeDone done)
      : loop_(loop), probe_(std::move(probe)), done_(std::move(done)) {
    timer_ = loop_.make_timer(anchor_.guard([this] { timed_out(); }));
    timer_->start(probe_.timeout);
  }

 protected:
  void finish(Status status) {
    if (finished_) return;
    finished_ = true;
    timer_->stop();
    loop_.defer(anchor_.guard([this, status = std::move(status)] { std::exchange(done_, nullptr)(status); }));
  }

  // Of whatever is still needed at this moment.
  void connect(Function<void(Result<std::unique_ptr<io::Stream>>)> connected) {
    io::ConnectOptions options;
    options.timeout = probe_.timeout;
    connecting_ = loop_.connect(probe_.address, options, std::move(connected));
  }

  io::Loop& loop_;
  HealthProbe probe_;
  const char* stage_ = "no connection";  // what the time-out found missing
  std::unique_ptr<io::Connecting> connecting_;

 private:
  void timed_out() {
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(probe_.timeout).count();
    finish(fail(Code::timeout,
                str_cat(probe_.address.to_string(), ": ", stage_, " within ", milliseconds, " ms")));
  }

  ProbeDone done_;
  bool finished_ = false;
  std::unique_ptr<io::Timer> timer_;
  Anchor anchor_;
};

// ---- tcp ----

class TcpProbe final : public ProbeBase {
 public:
  TcpProbe(io::Loop& loop, HealthProbe probe, ProbeDone done)
      : ProbeBase(loop, std::move(probe), std::move(done)) {
    connect([this](Result<std::unique_ptr<io::Stream>> stream) {
      finish(stream ? Status() : fail(stream.error()));
    });
  }
};

// ---- grpc ----

class GrpcProbe final : public ProbeBase {
 public:
  GrpcProbe(io::Loop& loop, HealthProbe probe, ProbeDone done)
      : ProbeBase(loop, std::move(probe), std::move(done)) {
    stage_ = "no answer to the gRPC health check";
    GrpcChannelOptions options;
    options.target = str_cat("gRPC health check at ", probe_.address.to_string());
    options.authority = probe_.address.to_string();
    options.scheme = "http";
    options.message_bytes_max = answer_bytes_max;
    options.connect_timeout = probe_.timeout;
    channel_ = std::make_unique<GrpcChannel>(
        loop_, random_, std::move(options), [this](GrpcChannel::ConnectDone connected) {
          io::ConnectOptions connect_options;
          connect_options.timeout = probe_.timeout;
          return loop_.connect(probe_.address, connect_options, std::move(connected));
        });
    grpc::health::v1::HealthCheckRequest request;
    request.set_service(probe_.service);
    // Half a minute more: the probe's own time-out has the better words.
    call_ = channel_->call("/grpc.health.v1.Health/Check", {}, request.SerializeAsString(),
                           probe_.timeout + std::chrono::seconds(30),
                           [this](const Result<GrpcReply>& reply) { answered(reply); });
  }

 private:
  std::string what() const {
    const std::string of = probe_.service.empty() ? "" : str_cat(" of service ", printable(probe_.service));
    return str_cat("gRPC health", of, " at ", probe_.address.to_string());
  }

  void answered(const Result<GrpcReply>& reply) {
    if (!reply) return finish(fail(reply.error()));
    if (reply->status.code == codec::GrpcCode::unimplemented) {
      return finish(fail(Code::refused, str_cat(what(),
                                                ": UNIMPLEMENTED: the application does not serve "
                                                "grpc.health.v1.Health")));
    }
    if (!reply->status.ok()) {
      return finish(fail(Code::refused, str_cat(what(), ": ", printable(reply->status.to_string()))));
    }
    using Response = grpc::health::v1::HealthCheckResponse;
    Response response;
    if (!response.ParseFromArray(reply->message.data(), static_cast<int>(reply->message.size()))) {
      return finish(fail(Code::invalid, str_cat(what(), ": the answer is no HealthCheckResponse")));
    }
    if (response.status() == Response::SERVING) return finish({});
    const std::string name = Response::ServingStatus_IsValid(response.status())
                                 ? Response::ServingStatus_Name(response.status())
                                 : std::to_string(static_cast<int>(response.status()));
    finish(fail(Code::refused, str_cat(what(), ": ", name, ", expected SERVING")));
  }

  SeededRandom random_{0};  // for the times between attempts; only one is made
  std::unique_ptr<GrpcChannel> channel_;
  std::unique_ptr<GrpcCall> call_;
};

// ---- http ----

// Framing and the connection are ours.
bool is_ours(std::string_view name) {
  static constexpr std::array names = {"content-length", "transfer-encoding", "trailer",
                                       "connection",     "keep-alive",        "upgrade"};
  for (const std::string_view ours : names) {
    if (equals_ignore_case(name, ours)) return true;
  }
  return false;
}

// As it may stand in a request line.
std::string target_of(std::string_view path) {
  static constexpr std::string_view digits = "0123456789ABCDEF";
  path = path.substr(0, path.find('#'));
  std::string target = path.starts_with('/') ? "" : "/";
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7f) {
      target.push_back(c);
    } else {
      target.append({'%', digits[byte >> 4], digits[byte & 15]});
    }
  }
  return target;
}

// The name in a Host field; nothing for an address, which is no server name (RFC 6066 § 3).
std::string server_name_of(std::string_view host) {
  if (host.starts_with('[')) return "";
  const std::string_view name = host.substr(0, host.find(':'));
  return IpAddress::parse(name) ? "" : std::string(name);
}

std::string first_line(std::string_view body) {
  const std::string_view line = trim(body.substr(0, body.find('\n')));
  return line.empty() ? "" : str_cat(": ", printable(line, excerpt_bytes_max));
}

class HttpProbe final : public ProbeBase {
 public:
  HttpProbe(io::Loop& loop, HealthProbe probe, ProbeDone done)
      : ProbeBase(loop, std::move(probe), std::move(done)) {
    head_.method = "GET";
    head_.headers.add("user-agent", "kube-probe/weft");
    head_.headers.add("accept", "*/*");
    for (const codec::Header& field : probe_.headers) take(field);
    head_.target = target_of(probe_.path);
    begin();
  }

 private:
  // A value replaces what stands there by default, and an empty one removes it.
  void take(const codec::Header& field) {
    if (equals_ignore_case(field.name, "host")) {
      head_.authority = field.value;
    } else if (equals_ignore_case(field.name, "user-agent") || equals_ignore_case(field.name, "accept")) {
      head_.headers.remove(field.name);
      if (!field.value.empty()) head_.headers.add(field.name, field.value);
    } else if (!is_ours(field.name)) {
      head_.headers.add(field.name, field.value);
    }
  }

  std::string url() const {
    return str_cat("GET ", probe_.https ? "https://" : "http://", probe_.address.to_string(),
                   printable(head_.target));
  }

  // The objects of the request before may be what is calling.
  void begin() {
    loop_.delete_later(std::move(fetch_));
    loop_.delete_later(std::move(handshake_));
    loop_.delete_later(std::move(connecting_));
    stage_ = "no connection";
    connect([this](Result<std::unique_ptr<io::Stream>> stream) {
      if (!stream) return finish(fail(stream.error()));
      if (probe_.https) return secure(*std::move(stream));
      ask(*std::move(stream), false);
    });
  }

  void secure(std::unique_ptr<io::Stream> stream) {
    stage_ = "a TCP connection, but no TLS handshake";
    tls::UnverifiedProbeOptions options;
    options.server_name = server_name_of(head_.authority);
    options.alpn = {"h2", "http/1.1"};
    options.tls13 = !refused_tls13_;
    options.timeout = probe_.timeout;
    handshake_ = tls::handshake_unverified_probe(
        loop_, std::move(stream), options,
        [this](Result<std::unique_ptr<tls::TlsStream>> secured) { secured_done(std::move(secured)); });
  }

  void secured_done(Result<std::unique_ptr<tls::TlsStream>> secured) {
    if (secured) {
      const bool http2 = (*secured)->alpn() == "h2";
      return ask(*std::move(secured), http2);
    }
    // In TLS 1.3 BoringSSL insists that the certificate's key usage, where it has one, allows signatures.
    // Self-signed certificates often have one that does not; with TLS 1.2 that is no hindrance.
    if (!refused_tls13_ && secured.error().code == Code::refused) {
      refused_tls13_ = secured.error();
      return begin();
    }
    const Error error = refused_tls13_.value_or(secured.error());
    finish(fail(error.in(str_cat("TLS with ", probe_.address.to_string()))));
  }

  void ask(std::unique_ptr<io::Stream> stream, bool http2) {
    stage_ = "no whole HTTP answer";
    FetchRequest request;
    request.head = head_;
    request.head.scheme = probe_.https ? "https" : "http";
    if (request.head.authority.empty()) request.head.authority = probe_.address.to_string();
    request.timeout = probe_.timeout;
    request.reply_bytes_max = answer_bytes_max;
    request.body_may_be_cut = true;
    auto done = [this](const Result<FetchReply>& reply) { fetched(reply); };
    if (http2) {
      fetch_ = fetch_http2(loop_, std::move(stream), std::move(request), std::move(done));
      return;
    }
    const FetchConnect hand_over = [this, &stream](auto connected) -> std::unique_ptr<io::Connecting> {
      loop_.defer([stream = std::move(stream), connected = std::move(connected)]() mutable {
        connected(std::move(stream));
      });
      return nullptr;
    };
    fetch_ = fetch(loop_, hand_over, std::move(request), std::move(done));
  }

  void fetched(const Result<FetchReply>& reply) {
    if (!reply) return finish(fail(reply.error().in(url())));
    const int status = reply->head.status;
    if (status < 200 || status >= 400) {
      return finish(fail(Code::refused, str_cat(url(), ": HTTP status ", status,
                                                probe_.quote_answer ? first_line(reply->body) : "")));
    }
    const bool redirect = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
    if (!redirect || !point_to(reply->head.headers.get("location").value_or(""))) return finish({});
    if (++redirects_ > redirects_max) {
      return finish(fail(Code::limit, str_cat(url(), ": more than ", redirects_max, " redirects")));
    }
    begin();
  }

  // False where `location` is not for the probed application.
  bool point_to(std::string_view location) {
    if (location.starts_with('/') && !location.starts_with("//")) {
      head_.target = target_of(location);
      return true;
    }
    const bool https = location.starts_with("https://");
    if (!https && !location.starts_with("http://")) return false;
    location.remove_prefix(location.find("//") + 2);
    const std::size_t slash = std::min(location.find('/'), location.size());
    const std::string host(location.substr(0, slash));
    auto address = Address::parse(host);
    if (!address) address = Address::parse(str_cat(host, https ? ":443" : ":80"));
    if (!address || address->ip != probe_.address.ip) return false;
    probe_.address = *address;
    probe_.https = https;
    head_.authority.clear();
    head_.target = target_of(location.substr(slash));
    return true;
  }

  codec::RequestHead head_;
  std::optional<Error> refused_tls13_;
  unsigned redirects_ = 0;
  std::unique_ptr<tls::Handshake> handshake_;
  std::unique_ptr<Fetch> fetch_;
};

}  // namespace

std::unique_ptr<ProbeUnderWay> run_health_probe(io::Loop& loop, HealthProbe probe, ProbeDone done) {
  switch (probe.kind) {
    case HealthProbe::Kind::tcp:
      return std::make_unique<TcpProbe>(loop, std::move(probe), std::move(done));
    case HealthProbe::Kind::grpc:
      return std::make_unique<GrpcProbe>(loop, std::move(probe), std::move(done));
    case HealthProbe::Kind::http:
      break;
  }
  return std::make_unique<HttpProbe>(loop, std::move(probe), std::move(done));
}

}  // namespace weft::http
