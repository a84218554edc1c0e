#include "examples/helloworld/http_echo.h"

#include <array>

#include "base/text.h"
#include "http/dial.h"

namespace weft::helloworld {
namespace {

constexpr std::size_t answer_bytes_max = 64 * 1024;
// What ties the requests of one chain together for a tracer.
constexpr std::array<std::string_view, 9> tracing_headers = {
    "x-request-id", "traceparent",       "tracestate",   "b3",        "x-b3-traceid",
    "x-b3-spanid",  "x-b3-parentspanid", "x-b3-sampled", "x-b3-flags"};

http::SimpleReply text_reply(int status, std::string text) {
  return http::SimpleReply{status, std::move(text), "text/plain; charset=utf-8", {}};
}

}  // namespace

// One request being answered.
class HttpEcho::Call final : http::ClientExchangeHandler {
 public:
  Call(HttpEcho& echo, codec::Headers tracing, http::SimpleServer::Respond respond)
      : echo_(echo), tracing_(std::move(tracing)), respond_(std::move(respond)) {
    timer_ = echo_.loop_.make_timer(anchor_.guard([this] { ask_next(); }));
    timer_->start(echo_.settings_.latency);
  }

 private:
  void ask_next() {
    const std::string& next = echo_.settings_.next;
    if (next.empty()) {
      answer(text_reply(200, echo_.settings_.text));
      return echo_.finish(*this);
    }
    const std::size_t colon = next.rfind(':');
    const auto port =
        colon == std::string::npos ? std::nullopt : parse_number<std::uint16_t>(next.substr(colon + 1));
    http::DialTarget target;
    target.address.port = port.value_or(80);
    const auto connect = [this, host = next.substr(0, colon), target](http::Pool::ConnectDone done) {
      return http::dial_host(echo_.loop_, *echo_.resolver_, host, target, std::move(done));
    };
    request_ = echo_.pool_.acquire(next, http::HttpProtocol::http1, connect,
                                   anchor_.guard([this](Result<http::Lease> lease) {
                                     if (!lease) return failed(lease.error());
                                     lease_.emplace(*std::move(lease));
                                     codec::RequestHead head;
                                     head.method = "GET";
                                     head.target = "/";
                                     head.authority = echo_.settings_.next;
                                     head.headers = tracing_;
                                     lease_->connection().request(head, true, *this);
                                   }));
  }

  void response_head(codec::ResponseHead&& head, bool end) override {
    if (head.status < 200) return;
    status_ = head.status;
    if (end) done();
  }
  void response_body(std::string_view bytes) override {
    if (answer_.size() + bytes.size() <= answer_bytes_max) answer_.append(bytes);
  }
  void response_end(const codec::Headers&) override { done(); }
  void request_drained() override {}
  // Only now does nobody hold on to this call any more.
  void exchange_finished() override { echo_.finish(*this); }
  void exchange_aborted(const Error& error, http::Delivery) override { failed(error); }

  void done() {
    if (status_ == 200) return answer(text_reply(200, str_cat(echo_.settings_.text, " ", answer_)));
    while (answer_.ends_with('\n')) answer_.pop_back();
    answer(text_reply(502, str_cat(echo_.settings_.next, " answered ", status_, ": ", answer_, "\n")));
  }
  void failed(const Error& error) {
    answer(text_reply(502, str_cat(echo_.settings_.next, ": ", error.message, "\n")));
    echo_.finish(*this);
  }
  void answer(http::SimpleReply reply) {
    if (respond_) std::exchange(respond_, nullptr)(std::move(reply));
  }

  HttpEcho& echo_;
  codec::Headers tracing_;
  http::SimpleServer::Respond respond_;
  int status_ = 0;
  std::string answer_;
  std::unique_ptr<io::Timer> timer_;
  std::unique_ptr<http::PoolRequest> request_;
  std::optional<http::Lease> lease_;
  Anchor anchor_;
};

HttpEcho::HttpEcho(io::UvLoop& loop, EchoSettings settings)
    : loop_(loop),
      settings_(std::move(settings)),
      pool_(loop),
      server_(loop, [this](const http::SimpleRequest& request, http::SimpleServer::Respond respond) {
        handle(request, std::move(respond));
      }) {}

HttpEcho::~HttpEcho() { calls_.clear(); }

Status HttpEcho::start() {
  auto resolver = io::make_resolver(loop_);
  if (!resolver) return fail(resolver.error());
  resolver_ = *std::move(resolver);
  WEFT_TRY(server_.listen(Address{IpAddress(), settings_.port}));
  // IPv6 too, where there is any.
  (void)server_.listen(Address{*IpAddress::parse("::"), settings_.port});
  return {};
}

void HttpEcho::handle(const http::SimpleRequest& request, http::SimpleServer::Respond respond) {
  codec::Headers tracing;
  for (const std::string_view name : tracing_headers) {
    if (const auto value = request.head.headers.get(name)) tracing.add(name, *value);
  }
  auto call = std::make_unique<Call>(*this, std::move(tracing), std::move(respond));
  Call* const key = call.get();
  calls_.emplace(key, std::move(call));
}

// At the end of the turn, for the call is what calls this.
void HttpEcho::finish(Call& call) {
  loop_.defer(anchor_.guard([this, key = &call] { calls_.erase(key); }));
}

}  // namespace weft::helloworld
