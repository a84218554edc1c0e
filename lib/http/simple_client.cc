#include "http/simple_client.h"

#include "base/text.h"
#include "http/client_connection.h"

namespace weft::http {
namespace {

class FetchInFlight final : public Fetch, ClientConnectionHandler, ClientExchangeHandler {
 public:
  FetchInFlight(io::Loop& loop, const FetchConnect& connect, FetchRequest request, FetchDone done)
      : loop_(loop), request_(std::move(request)), done_(std::move(done)) {
    timer_ = loop_.make_timer(anchor_.guard([this] { finish(fail(Code::timeout, "no reply in time")); }));
    timer_->start(request_.timeout);
    connecting_ = connect(anchor_.guard([this](Result<std::unique_ptr<io::Stream>> stream) {
      if (!stream) return finish(fail(stream.error()));
      connected(*std::move(stream));
    }));
  }

 private:
  void connected(std::unique_ptr<io::Stream> stream) {
    connection_ = make_http1_client_connection(loop_, std::move(stream), *this, ClientOptions());
    codec::RequestHead& head = request_.head;
    const bool bodiless = request_.body.empty();
    if (!bodiless) head.headers.set("content-length", std::to_string(request_.body.size()));
    head.headers.set("connection", "close");
    ClientExchange& exchange = connection_->request(head, bodiless, *this);
    if (bodiless) return;
    exchange.send_body(request_.body);
    exchange.send_end({});
  }

  void response_head(codec::ResponseHead&& head, bool end) override {
    if (head.status < 200) return;
    reply_.head = std::move(head);
    headed_ = true;
    if (end) finish(std::move(reply_));
  }
  void response_body(std::string_view bytes) override {
    const std::size_t room = request_.reply_bytes_max - reply_.body.size();
    reply_.body.append(bytes.substr(0, room));
    if (bytes.size() <= room) return;
    broke_off({Code::limit, str_cat("the reply is longer than ", request_.reply_bytes_max, " bytes")});
  }
  void response_end(const codec::Headers&) override { finish(std::move(reply_)); }
  void request_drained() override {}
  void exchange_finished() override {}
  void exchange_aborted(const Error& error, Delivery) override { broke_off(error); }
  void connection_available() override {}
  void connection_closed(const Error* error) override {
    finish(fail(error ? *error : Error{Code::closed, "the connection closed before the reply"}));
  }

  void broke_off(const Error& error) {
    if (headed_ && request_.body_may_be_cut) return finish(std::move(reply_));
    finish(fail(error));
  }

  void finish(Result<FetchReply> result) {
    if (finished_) return;
    finished_ = true;
    timer_->stop();
    loop_.defer(anchor_.guard([this, result = std::move(result)]() mutable { done_(std::move(result)); }));
  }

  io::Loop& loop_;
  FetchRequest request_;
  FetchDone done_;
  FetchReply reply_;
  bool headed_ = false;  // the final head is there
  bool finished_ = false;
  std::unique_ptr<io::Timer> timer_;
  std::unique_ptr<io::Connecting> connecting_;
  std::unique_ptr<ClientConnection> connection_;
  Anchor anchor_;
};

}  // namespace

std::unique_ptr<Fetch> fetch(io::Loop& loop, const FetchConnect& connect, FetchRequest request,
                             FetchDone done) {
  return std::make_unique<FetchInFlight>(loop, connect, std::move(request), std::move(done));
}

}  // namespace weft::http
