#include "base/check.h"
#include "base/text.h"
#include "http/http2_transport.h"
#include "http/simple_client.h"

namespace weft::http {
namespace {

class Http2Fetch final : public Fetch, codec::Http2Handler {
 public:
  Http2Fetch(io::Loop& loop, std::unique_ptr<io::Stream> stream, FetchRequest request, FetchDone done)
      : loop_(loop),
        request_(std::move(request)),
        done_(std::move(done)),
        transport_(loop, std::move(stream), *this, {}, [this](const Error* error) {
          broke_off(error ? *error : Error{Code::closed, "the connection closed before the reply"});
        }) {
    timer_ = loop_.make_timer(anchor_.guard([this] { finish(fail(Code::timeout, "no reply in time")); }));
    timer_->start(request_.timeout);
    const auto sent = transport_.session().request(request_.head, true);
    if (!sent) finish(fail(sent.error()));
    transport_.flush();
  }

 private:
  void http2_request(codec::StreamId, codec::RequestHead&&, bool) override {}
  void http2_response(codec::StreamId, codec::ResponseHead&& head, bool end) override {
    if (head.status < 200) return;
    reply_.head = std::move(head);
    headed_ = true;
    if (end) finish(std::move(reply_));
  }
  void http2_data(codec::StreamId id, std::string_view bytes) override {
    transport_.session().consume(id, bytes.size());
    const std::size_t room = request_.reply_bytes_max - reply_.body.size();
    reply_.body.append(bytes.substr(0, room));
    if (bytes.size() <= room) return;
    broke_off({Code::limit, str_cat("the reply is longer than ", request_.reply_bytes_max, " bytes")});
  }
  void http2_end(codec::StreamId, codec::Headers&&) override { finish(std::move(reply_)); }
  void http2_drained(codec::StreamId) override {}
  void http2_closed(codec::StreamId, codec::Http2Code code) override {
    broke_off({Code::closed, str_cat("the peer reset the request: ", codec::http2_code_name(code))});
  }
  void http2_malformed(codec::StreamId, const Error& why) override { broke_off(why); }
  void http2_goaway(codec::StreamId, codec::Http2Code, std::string_view) override {}
  void http2_pong(std::uint64_t) override {}

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
  Http2Transport transport_;
  Anchor anchor_;
};

}  // namespace

std::unique_ptr<Fetch> fetch_http2(io::Loop& loop, std::unique_ptr<io::Stream> stream, FetchRequest request,
                                   FetchDone done) {
  WEFT_CHECK(request.body.empty());
  return std::make_unique<Http2Fetch>(loop, std::move(stream), std::move(request), std::move(done));
}

}  // namespace weft::http
