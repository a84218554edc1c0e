// Bytes from an HTTP/2 peer. The first byte chooses: bit 0 the role, bit 1 whether a server answers, bit 2
// whether the client's preface is left out (it is given otherwise), bit 3 whether the session is shutting
// down, bit 4 whether an interim response goes before an answer, bit 5 whether a server takes no interest in
// what comes behind its answer; the second how the rest is cut. However it is cut, the same happens.
#include <algorithm>
#include <map>
#include <string>

#include "base/text.h"
#include "codec/http2.h"
#include "tests/fuzz/fuzz.h"

namespace weft::codec {
namespace {

class Transcript final : public Http2Handler {
 public:
  Transcript(bool answers, bool interim, bool abandons)
      : answers_(answers), interim_(interim), abandons_(abandons) {}

  void http2_request(StreamId id, RequestHead&& head, bool end) override {
    WEFT_CHECK(open_.emplace(id, end).second);
    check_size(head.headers);
    note(str_cat(id, " ", head.method, " ", head.target, " ", head.headers.size(), end ? " end\n" : "\n"));
    if (!answers_) return;
    ResponseHead answer;
    answer.headers.add("content-length", "6");
    answer.status = 103;
    if (interim_) session->respond(id, answer, false);
    answer.status = 200;
    session->respond(id, answer, false);
    session->send_data(id, "answer");
    Headers trailers;
    trailers.add("grpc-status", "0");
    session->send_end(id, trailers);
    if (abandons_) session->abandon(id);
  }
  void http2_response(StreamId id, ResponseHead&& head, bool end) override {
    check_open(id);
    if (head.status >= 200) open_[id] = end;
    note(str_cat(id, " ", head.status, " ", head.headers.size(), end ? " end\n" : "\n"));
  }
  void http2_data(StreamId id, std::string_view bytes) override {
    check_open(id);
    if (!over_) bodies[id].append(bytes);
    session->consume(id, bytes.size());
  }
  void http2_end(StreamId id, Headers&& trailers) override {
    check_open(id);
    open_[id] = true;
    note(str_cat(id, " end ", trailers.size(), "\n"));
  }
  void http2_drained(StreamId) override {}
  void http2_closed(StreamId id, Http2Code code) override {
    WEFT_CHECK(open_.erase(id) == 1);
    note(str_cat(id, " closed ", http2_code_name(code), "\n"));
    over_ = over_ || (leaving_ && open_.empty());
  }
  void http2_goaway(StreamId last, Http2Code code, std::string_view debug) override {
    note(str_cat("goaway ", last, " ", http2_code_name(code), " ", debug.size(), "\n"));
    leaving_ = true;
    over_ = over_ || open_.empty();
  }
  void http2_pong(std::uint64_t payload) override { note(str_cat("pong ", payload, "\n")); }

  bool over() const { return over_; }
  void begun(StreamId id) { open_.emplace(id, false); }

  Http2Session* session = nullptr;
  std::string events;
  std::map<StreamId, std::string> bodies;

 private:
  // After GOAWAY and the last stream the connection is over; what came in the same piece may still be heard.
  void note(std::string_view event) {
    if (!over_) events += event;
  }
  void check_open(StreamId id) const {
    const auto found = open_.find(id);
    WEFT_CHECK(found != open_.end() && !found->second);
  }
  static void check_size(const Headers& headers) { WEFT_CHECK(headers.size() <= limits::headers_max); }

  bool answers_;
  bool interim_;
  bool abandons_;
  bool leaving_ = false;
  bool over_ = false;
  std::map<StreamId, bool> open_;  // and whether the peer ended it
};

struct Outcome {
  std::string events;
  std::map<StreamId, std::string> bodies;
  bool finished = false;
  bool operator==(const Outcome&) const = default;
};

void drain(Http2Session& session) {
  while (!session.produce().empty()) {
  }
}

Outcome run(std::uint8_t choices, std::string_view bytes, std::size_t cut) {
  const bool client = (choices & 1) != 0;
  Transcript transcript((choices & 2) != 0, (choices & 16) != 0, (choices & 32) != 0);
  Http2Session session(client ? Http2Session::Role::client : Http2Session::Role::server, transcript);
  transcript.session = &session;
  const MonotonicTime now{};
  if (client) {
    for (int i = 0; i < 2; ++i) {
      RequestHead head;
      head.method = "POST";
      head.target = "/";
      head.scheme = "http";
      head.authority = "a";
      transcript.begun(*session.request(head, i == 0));
    }
    drain(session);
  } else if ((choices & 4) == 0) {
    session.feed(std::string_view("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33), now);
  }
  if ((choices & 8) != 0) session.shut_down();
  for (; !bytes.empty(); bytes.remove_prefix(std::min(cut, bytes.size())))
    session.feed(bytes.substr(0, cut), now);
  drain(session);
  return {std::move(transcript.events), std::move(transcript.bodies),
          transcript.over() || session.finished()};
}

}  // namespace
}  // namespace weft::codec

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes = weft::fuzz::text(data, size).substr(2);
  const auto whole = weft::codec::run(data[0], bytes, bytes.size());
  WEFT_CHECK(whole == weft::codec::run(data[0], bytes, 1));
  WEFT_CHECK(whole == weft::codec::run(data[0], bytes, 1 + data[1]));
  return 0;
}
