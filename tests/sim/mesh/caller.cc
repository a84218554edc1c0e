#include "tests/sim/mesh/caller.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/text.h"
#include "tests/sim/later.h"
#include "tests/sim/mesh/application.h"

namespace weft::test {

class Caller::Running {
 public:
  Running(SimPod& pod, Book& book, int id)
      : loop_(pod.loop()), book_(book), id_(id), call_(book.call(id)), later_(pod.loop()) {
    book_.fate(id).begun = loop_.now();
    if (call_.gives_up > Duration(0)) later_.after(call_.gives_up, [this] { give_up(); });
  }
  virtual ~Running() = default;

 protected:
  virtual void abandon() = 0;
  bool over() const { return book_.fate(id_).outcome != Outcome::open; }
  void end(Outcome outcome, std::string why) {
    book_.fate(id_).why = std::move(why);
    book_.ended(id_, outcome, loop_.now());
  }
  void give_up() {
    if (over()) return;
    abandon();
    end(Outcome::gave_up, {});
  }

  io::Loop& loop_;
  Book& book_;
  const int id_;
  const Call& call_;
  Later later_;
};

namespace {

constexpr std::size_t piece_bytes = 8 * 1024;

std::string describe(const codec::Headers& headers) {
  std::string text;
  for (const codec::Header& field : headers.fields()) text += str_cat(" ", field.name, ": ", field.value);
  return text;
}
constexpr auto slow = std::chrono::milliseconds(5);

class HttpCall final : public Caller::Running, http::ClientExchangeHandler {
 public:
  HttpCall(SimPod& pod, Book& book, int id, http::Pool& pool, const Address& to, http::HttpProtocol protocol)
      : Running(pod, book, id), http2_(protocol == http::HttpProtocol::http2) {
    acquiring_ = pool.acquire(
        to.to_string(), protocol, [&pod, to](auto done) { return pod.connect(to, std::move(done)); },
        [this](Result<http::Lease> lease) { connected(std::move(lease)); });
  }

 private:
  codec::RequestHead head() const {
    codec::RequestHead head;
    head.method = call_.method;
    head.target = str_cat("/call/", id_);
    head.authority = "world";
    head.headers.add("x-id", std::to_string(id_));
    head.headers.add("x-request-id", std::to_string(id_));
    head.headers.add("x-weft-forged", "yes");
    if (call_.grpc) head.headers.add("content-type", "application/grpc");
    if (call_.grpc) head.headers.add("te", "trailers");
    if (call_.websocket)
      ask_for_websocket(head);
    else if (!call_.request_chunked && call_.request_bytes > 0 && !call_.request_trailers)
      head.headers.add("content-length", std::to_string(call_.request_bytes));
    return head;
  }
  void ask_for_websocket(codec::RequestHead& head) const {
    head.headers.add("sec-websocket-version", "13");
    if (http2_) {
      head.method = "CONNECT";
      head.protocol = "websocket";
    } else {
      head.headers.add("upgrade", "websocket");
      head.headers.add("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    }
  }
  void connected(Result<http::Lease> lease) {
    loop_.delete_later(std::move(acquiring_));
    if (!lease) return end(Outcome::failed, lease.error().message);
    lease_.emplace(*std::move(lease));
    const bool end = call_.request_bytes == 0 && !call_.request_trailers && !call_.websocket;
    exchange_ = &lease_->connection().request(head(), end, *this);
    if (!end && !call_.websocket) loop_.defer([this] { write_on(); });
  }
  void write_on() {
    if (!exchange_ || written_) return;
    while (sent_bytes_ < call_.request_bytes) {
      if (!exchange_->writable()) return;
      const std::size_t count = std::min(piece_bytes, call_.request_bytes - sent_bytes_);
      exchange_->send_body(Pattern(id_, Pattern::Direction::request).bytes(sent_bytes_, count));
      sent_bytes_ += count;
      if (call_.slow_writer && sent_bytes_ < call_.request_bytes)
        return later_.after(slow, [this] { write_on(); });
    }
    written_ = true;
    codec::Headers trailers;
    if (call_.request_trailers) trailers.add("x-request-sum", std::to_string(id_));
    exchange_->send_end(trailers);
  }
  void request_drained() override {
    const bool asked = call_.websocket && book_.fate(id_).status == 0;
    if (!call_.slow_writer && !asked) write_on();
  }

  void response_head(codec::ResponseHead&& head, bool end) override {
    Fate& fate = book_.fate(id_);
    if (head.status < 200 && head.status != 101) {
      if (head.headers.get("x-id") != std::to_string(id_))
        book_.finding(id_, "it got another's interim head");
      ++fate.interim_heads;
      return;
    }
    if (fate.status != 0) book_.finding(id_, "it got two answers");
    fate.status = head.status;
    fate.mesh_error = head.headers.get("x-weft-error").value_or("");
    from_mesh_ = !fate.mesh_error.empty();
    if (!from_mesh_ && head.headers.get("x-id") != std::to_string(id_))
      book_.finding(id_, str_cat("it got another's answer, ", head.status, describe(head.headers)));
    complete_ = end;
    if (call_.websocket) answered(head);
  }
  // A tunnel carries its bytes from now on; of anything else the request is over.
  void answered(const codec::ResponseHead& head) {
    const bool tunnel = http2_ ? head.status < 300 : head.status == 101;
    // Of RFC 6455 § 1.3, as the key is.
    if (tunnel && !http2_ && head.headers.get("sec-websocket-accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
      book_.finding(id_, "its key was not read");
    later_.after(Duration(0), [this, tunnel] {
      if (tunnel) return write_on();
      written_ = true;
      if (exchange_) exchange_->send_end({});
    });
  }
  void response_body(std::string_view bytes) override {
    if (from_mesh_) return;
    if (!Pattern(id_, Pattern::Direction::answer).matches(got_bytes_, bytes))
      book_.finding(id_, str_cat("its answer is not its own at ", got_bytes_, ": ", printable(bytes, 40)));
    got_bytes_ += bytes.size();
    if (!call_.slow_reader || got_bytes_ < paused_at_ + piece_bytes) return;
    paused_at_ = got_bytes_;
    exchange_->pause_body();
    later_.after(slow, [this] {
      if (exchange_) exchange_->resume_body();
    });
  }
  void response_end(const codec::Headers& trailers) override {
    complete_ = true;
    if (from_mesh_) return;
    // A break behind the first messages is told in the trailers: the answer is cut, and says so.
    cut_by_mesh_ = call_.grpc && trailers.get("grpc-status") != "0" && trailers.has("x-weft-error");
    if (cut_by_mesh_) return;
    if (call_.answer_trailers != trailers.has("x-answer-sum"))
      book_.finding(id_, "its answer's trailers are not its own");
    if (call_.grpc && trailers.get("grpc-status") != "0")
      book_.finding(id_, str_cat("its status became ", trailers.get("grpc-status").value_or("none"), ": ",
                                 trailers.get("grpc-message").value_or("")));
  }
  void exchange_finished() override {
    exchange_ = nullptr;
    if (!complete_) book_.finding(id_, "it finished without an answer");
    over_with(cut_by_mesh_ ? Outcome::cut : Outcome::answered, {});
  }
  void exchange_aborted(const Error& error, http::Delivery) override {
    exchange_ = nullptr;
    // The answer may have been whole, and the request found no taker.
    if (complete_) return over_with(cut_by_mesh_ ? Outcome::cut : Outcome::answered, error.message);
    over_with(book_.fate(id_).status != 0 ? Outcome::cut : Outcome::failed, error.message);
  }
  void over_with(Outcome outcome, std::string why) {
    const bool whole = from_mesh_ || call_.method == "HEAD" || got_bytes_ == call_.answer_bytes;
    if (outcome == Outcome::answered && !whole)
      book_.finding(id_, str_cat("its answer ended at ", got_bytes_, " of ", call_.answer_bytes));
    end(outcome, std::move(why));
    lease_.reset();
  }
  void abandon() override {
    acquiring_.reset();
    if (exchange_) std::exchange(exchange_, nullptr)->cancel();
    lease_.reset();
  }

  std::unique_ptr<http::PoolRequest> acquiring_;
  std::optional<http::Lease> lease_;
  http::ClientExchange* exchange_ = nullptr;
  std::size_t sent_bytes_ = 0;
  std::size_t got_bytes_ = 0;
  std::size_t paused_at_ = 0;
  const bool http2_;
  bool written_ = false;
  bool from_mesh_ = false;
  bool complete_ = false;
  bool cut_by_mesh_ = false;
};

// Sends its bytes, ends, and expects them back, perhaps behind a greeting.
class TcpCall final : public Caller::Running, io::StreamHandler {
 public:
  TcpCall(SimPod& pod, Book& book, int id, const Address& to, bool awaits_greeting)
      : Running(pod, book, id), greeting_left_(awaits_greeting ? greeting : std::string_view()) {
    connecting_ = pod.connect(to, [this](Result<std::unique_ptr<io::Stream>> stream) {
      loop_.delete_later(std::move(connecting_));
      if (!stream) return end(Outcome::failed, stream.error().message);
      stream_ = *std::move(stream);
      stream_->start(*this);
      stream_->resume();
      if (greeting_left_.empty()) begin();
    });
  }

 private:
  void begin() {
    stream_->write(tcp_preamble(id_));
    write_on();
  }
  void write_on() {
    if (!stream_ || written_) return;
    while (sent_bytes_ < call_.request_bytes) {
      if (!stream_->writable()) return;
      const std::size_t count = std::min(piece_bytes, call_.request_bytes - sent_bytes_);
      stream_->write(Pattern(id_, Pattern::Direction::request).bytes(sent_bytes_, count));
      sent_bytes_ += count;
    }
    written_ = true;
    stream_->end();
  }
  void stream_data(std::string_view bytes) override {
    if (!greeting_left_.empty()) {
      const std::size_t count = std::min(bytes.size(), greeting_left_.size());
      if (bytes.substr(0, count) != greeting_left_.substr(0, count))
        book_.finding(id_, "the greeting is not the server's");
      greeting_left_.remove_prefix(count);
      bytes.remove_prefix(count);
      if (greeting_left_.empty()) begin();
    }
    if (!Pattern(id_, Pattern::Direction::request).matches(got_bytes_, bytes))
      book_.finding(id_, str_cat("what came back is not its own at ", got_bytes_));
    got_bytes_ += bytes.size();
    if (!call_.slow_reader || bytes.empty()) return;
    stream_->pause();
    later_.after(slow, [this] {
      if (stream_) stream_->resume();
    });
  }
  void stream_end() override {
    // A clean end says that this was all: it must be.
    if (got_bytes_ != call_.request_bytes)
      book_.finding(id_, str_cat("what came back ended at ", got_bytes_, " of ", call_.request_bytes));
    close(Outcome::answered, {});
  }
  void stream_drained() override {
    if (!written_) write_on();
  }
  void stream_failed(const Error& error) override {
    close(got_bytes_ > 0 ? Outcome::cut : Outcome::failed, error.message);
  }
  void close(Outcome outcome, std::string why) {
    drop_stream();
    end(outcome, std::move(why));
  }
  void abandon() override {
    connecting_.reset();
    if (!stream_) return;
    stream_->reset();
    drop_stream();
  }
  // It lives to the end of the turn, in which more may come.
  void drop_stream() {
    stream_->detach();
    loop_.delete_later(std::move(stream_));
  }

  std::unique_ptr<io::Connecting> connecting_;
  std::unique_ptr<io::Stream> stream_;
  std::string_view greeting_left_;
  std::size_t sent_bytes_ = 0;
  std::size_t got_bytes_ = 0;
  bool written_ = false;
};

}  // namespace

Caller::Caller(SimPod& pod, Book& book) : pod_(pod), book_(book), pool_(pod.loop()) {}

Caller::~Caller() = default;

void Caller::call_http(int id, const Address& to, http::HttpProtocol protocol) {
  running_.push_back(std::make_unique<HttpCall>(pod_, book_, id, pool_, to, protocol));
}

void Caller::call_tcp(int id, const Address& to, bool awaits_greeting) {
  running_.push_back(std::make_unique<TcpCall>(pod_, book_, id, to, awaits_greeting));
}

}  // namespace weft::test
