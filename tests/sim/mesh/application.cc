#include "tests/sim/mesh/application.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/text.h"
#include "http/server_connection.h"
#include "tests/sim/later.h"
#include "tests/support/websocket.h"

namespace weft::test {
namespace {

constexpr std::size_t piece_bytes = 16 * 1024;
constexpr std::size_t preamble_bytes = 9;  // "\1", eight digits

const Deed fallback{};

std::optional<int> id_of(const codec::Headers& headers) {
  const auto text = headers.get("x-id");
  const auto number = text ? parse_number<std::uint32_t>(*text) : std::nullopt;
  return number ? std::optional(static_cast<int>(*number)) : std::nullopt;
}

// One request at the application.
class ServedCall final : public http::ServerExchangeHandler {
 public:
  ServedCall(io::Loop& loop, http::ServerExchange& exchange, const codec::RequestHead& head, bool end,
             Book& book)
      : later_(loop), exchange_(&exchange), book_(book), head_only_(head.method == "HEAD") {
    const auto id = id_of(head.headers);
    if (!id || !book.knows(*id)) {
      book.finding("an application got a request that nobody made");
      return;
    }
    id_ = *id;
    call_ = &book.call(id_);
    check_head(head);
    // Nobody waits for the answer to a copy: it is no delivery.
    const bool copy = head.authority.ends_with("-shadow");
    if (copy) ++book.fate(id_).copies;
    deed_ = copy ? call_->deeds.back() : book.delivered(id_);
    for (int i = 0; i < call_->interim_heads; ++i) send_interim();
    if (deed_.act == Deed::Act::answer_early || call_->websocket || end) act_later();
    if (call_->slow_writer || call_->request_bytes < piece_bytes) return;
    // A server that takes its time over a long body.
    exchange.pause_body();
    later_.after(std::chrono::milliseconds(20), [this] {
      if (exchange_) exchange_->resume_body();
    });
  }
  bool over() const { return exchange_ == nullptr; }

 private:
  void check_head(const codec::RequestHead& head) {
    if (call_->websocket)
      check_websocket(head);
    else if (head.method != call_->method)
      book_.finding(id_, str_cat("its method became ", head.method));
    if (!head.headers.get("x-forwarded-client-cert"))
      book_.finding(id_, "the application was not told who calls");
    if (head.headers.has("x-weft-forged")) book_.finding(id_, "what only sidecars may say came through");
  }
  void check_websocket(const codec::RequestHead& head) {
    const bool http2 = head.version == codec::Version::http2;
    const bool asked = http2 ? head.method == "CONNECT" && head.protocol == "websocket"
                             : head.method == "GET" && head.headers.get("upgrade") == "websocket";
    if (!asked) book_.finding(id_, str_cat("its WebSocket became a ", head.method));
    if (http2 == head.headers.has("sec-websocket-key")) book_.finding(id_, "its key is wrong");
    if (!http2) accept_ = websocket_accept(head.headers.get("sec-websocket-key").value_or(""));
  }
  void request_body(std::string_view bytes) override {
    if (!call_) return;
    if (!Pattern(id_, Pattern::Direction::request).matches(got_bytes_, bytes))
      book_.finding(id_, str_cat("its body is not its own at ", got_bytes_));
    got_bytes_ += bytes.size();
  }
  void request_end(const codec::Headers& trailers) override {
    if (!call_ || (call_->websocket && deed_.status != 200)) return;
    if (got_bytes_ != call_->request_bytes)
      book_.finding(id_, str_cat("its body ended at ", got_bytes_, " of ", call_->request_bytes));
    if (call_->request_trailers != trailers.has("x-request-sum"))
      book_.finding(id_, "its trailers are not its own");
    if (deed_.act != Deed::Act::answer_early && !call_->websocket) act_later();
  }
  void response_drained() override { write_on(); }
  void exchange_finished() override { exchange_ = nullptr; }
  void exchange_aborted(const Error& error) override {
    exchange_ = nullptr;
    if (call_ && call_->websocket && call_->must_succeed)
      book_.finding(id_, str_cat("nothing was broken, but its tunnel was: ", error.message));
  }

  void send_interim() {
    codec::ResponseHead head;
    head.status = 103;
    head.headers.add("x-id", std::to_string(id_));
    exchange_->send_head(head, false);
  }
  void act_later() {
    if (deed_.act == Deed::Act::silence) return;
    later_.after(deed_.delay, [this] { act(); });
  }
  void act() {
    if (!exchange_) return;
    if (deed_.act == Deed::Act::reset) return exchange_->reset(Error{Code::closed, "as planned"});
    codec::ResponseHead head;
    head.status = deed_.status;
    head.headers.add("x-id", std::to_string(id_));
    if (call_->grpc) head.headers.add("content-type", "application/grpc");
    const bool tunnel = call_->websocket && deed_.status == 200;
    if (tunnel && !accept_.empty()) {
      head.status = 101;
      head.headers.add("upgrade", "websocket");
      head.headers.add("sec-websocket-accept", accept_);
    }
    const bool lengthy = !call_->answer_chunked && !call_->grpc && !call_->answer_trailers && !tunnel;
    if (lengthy) head.headers.add("content-length", std::to_string(call_->answer_bytes));
    const bool end = head_only_ || (lengthy && call_->answer_bytes == 0);
    exchange_->send_head(head, end);
    if (!end) write_on();
  }
  void write_on() {
    if (!exchange_ || finished_writing_ || head_only_) return;
    const std::size_t most =
        deed_.act == Deed::Act::reset_in_answer ? call_->answer_bytes / 2 : call_->answer_bytes;
    while (sent_bytes_ < most && exchange_->writable()) {
      const std::size_t count = std::min(piece_bytes, most - sent_bytes_);
      exchange_->send_body(Pattern(id_, Pattern::Direction::answer).bytes(sent_bytes_, count));
      sent_bytes_ += count;
    }
    if (sent_bytes_ < most) return;
    finished_writing_ = true;
    if (deed_.act == Deed::Act::reset_in_answer) return exchange_->reset(Error{Code::closed, "as planned"});
    codec::Headers trailers;
    if (call_->grpc) trailers.add("grpc-status", "0");
    if (call_->answer_trailers) trailers.add("x-answer-sum", std::to_string(id_));
    exchange_->send_end(trailers);
  }

  Later later_;
  http::ServerExchange* exchange_;
  Book& book_;
  int id_ = -1;
  const Call* call_ = nullptr;
  Deed deed_ = fallback;
  std::string accept_;  // to a WebSocket of HTTP/1
  std::size_t got_bytes_ = 0;
  std::size_t sent_bytes_ = 0;
  bool head_only_;
  bool finished_writing_ = false;
};

}  // namespace

class Application::Served {
 public:
  virtual ~Served() = default;
  virtual bool over() const = 0;
  virtual void die() = 0;
};

namespace {

class ServedHttp final : public Application::Served, http::ServerConnectionHandler {
 public:
  ServedHttp(io::Loop& loop, std::unique_ptr<io::Stream> stream, const Manner& manner, Book& book)
      : loop_(loop), book_(book), requests_left_(manner.lets_go_after) {
    http::ServerOptions options;
    options.idle_timeout = manner.idle_timeout;
    options.answer_expect = true;
    const auto make = manner.speaks == Manner::Speaks::http2 ? http::make_http2_server_connection
                                                             : http::make_http1_server_connection;
    connection_ = make(loop, std::move(stream), *this, options, {});
  }
  bool over() const override { return connection_ == nullptr; }
  void die() override {
    if (!connection_) return;
    connection_->stream().reset();
    connection_->close(Error{Code::closed, "killed"});
  }

 private:
  http::ServerExchangeHandler& request_begins(http::ServerExchange& exchange, codec::RequestHead&& head,
                                              bool end) override {
    std::erase_if(requests_, [](const auto& request) { return request->over(); });
    requests_.push_back(std::make_unique<ServedCall>(loop_, exchange, head, end, book_));
    if (requests_left_ > 0 && --requests_left_ == 0) {
      loop_.defer(anchor_.guard([this] {
        if (connection_) connection_->drain();
      }));
    }
    return *requests_.back();
  }
  void connection_closed(const Error*) override { loop_.delete_later(std::move(connection_)); }

  io::Loop& loop_;
  Book& book_;
  std::vector<std::unique_ptr<ServedCall>> requests_;
  std::unique_ptr<http::ServerConnection> connection_;
  std::size_t requests_left_;
  Anchor anchor_;
};

// Sends back what it gets, and ends behind its caller.
class ServedTcp final : public Application::Served, io::StreamHandler {
 public:
  ServedTcp(io::Loop& loop, std::unique_ptr<io::Stream> stream, const Manner& manner, Book& book)
      : later_(loop), loop_(loop), book_(book), stream_(std::move(stream)) {
    stream_->start(*this);
    stream_->resume();
    if (manner.greets) stream_->write(greeting);
  }
  bool over() const override { return stream_ == nullptr; }
  void die() override {
    if (stream_) stream_->reset();
    close();
  }

 private:
  void stream_data(std::string_view bytes) override {
    if (id_ < 0) {
      preamble_.append(bytes);
      if (preamble_.size() < preamble_bytes) return;
      const std::string rest = preamble_.substr(preamble_bytes);
      if (!begin()) return;
      return rest.empty() ? void() : take(rest);
    }
    take(bytes);
  }
  bool begin() {
    int id = -1;
    const char* const digits = preamble_.data() + 1;
    std::from_chars(digits, digits + preamble_bytes - 1, id);
    if (preamble_[0] != '\1' || !book_.knows(id)) {
      book_.finding("a TCP application got bytes that nobody sent");
      die();
      return false;
    }
    id_ = id;
    deed_ = book_.delivered(id_);
    if (deed_.act == Deed::Act::reset) later_.after(deed_.delay, [this] { die(); });
    return true;
  }
  void take(std::string_view bytes) {
    if (!Pattern(id_, Pattern::Direction::request).matches(got_bytes_, bytes))
      book_.finding(id_, str_cat("its bytes are not its own at ", got_bytes_));
    got_bytes_ += bytes.size();
    stream_->write(bytes);
    if (!stream_->writable()) stream_->pause();
  }
  void stream_end() override {
    ended_ = true;
    if (id_ >= 0 && got_bytes_ != book_.call(id_).request_bytes)
      book_.finding(id_, str_cat("its bytes ended at ", got_bytes_, " of ", book_.call(id_).request_bytes));
    stream_->end();
  }
  void stream_drained() override {
    if (ended_) return close();
    stream_->resume();
  }
  void stream_failed(const Error&) override { close(); }
  void close() {
    if (stream_) stream_->detach();
    loop_.delete_later(std::move(stream_));
  }

  Later later_;
  io::Loop& loop_;
  Book& book_;
  std::string preamble_;
  int id_ = -1;
  Deed deed_ = fallback;
  std::size_t got_bytes_ = 0;
  bool ended_ = false;
  std::unique_ptr<io::Stream> stream_;
};

}  // namespace

std::string tcp_preamble(int id) {
  std::string digits = std::to_string(id);
  return str_cat("\1", std::string(preamble_bytes - 1 - digits.size(), '0'), digits);
}

Application::Application(io::Loop& loop, const Address& address, const Manner& manner, Book& book)
    : loop_(loop), address_(address), manner_(manner), book_(book) {
  listen();
}

Application::~Application() = default;

void Application::listen() {
  if (listener_) return;
  auto listener =
      loop_.listen(address_, {}, [this](std::unique_ptr<io::Stream> stream) { accept(std::move(stream)); });
  WEFT_CHECK(listener.has_value());
  listener_ = *std::move(listener);
}

void Application::accept(std::unique_ptr<io::Stream> stream) {
  std::erase_if(served_, [](const auto& served) { return served->over(); });
  if (manner_.speaks == Manner::Speaks::tcp)
    served_.push_back(std::make_unique<ServedTcp>(loop_, std::move(stream), manner_, book_));
  else
    served_.push_back(std::make_unique<ServedHttp>(loop_, std::move(stream), manner_, book_));
}

void Application::die() {
  stop_listening();
  for (const auto& served : served_) served->die();
}

std::size_t Application::connections() const {
  return static_cast<std::size_t>(
      std::count_if(served_.begin(), served_.end(), [](const auto& served) { return !served->over(); }));
}

}  // namespace weft::test
