// What happens in an Http2Session, written down.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "codec/http2.h"

namespace weft::codec {

// Writes down what happens, one line an event; bodies are joined up per stream.
class Recorder final : public Http2Handler {
 public:
  void http2_request(StreamId id, RequestHead&& head, bool end) override {
    note(str_cat(id, " request ", head.method, " ", head.scheme, "://", head.authority, head.target,
                 fields(head.headers), end ? " end" : ""));
  }
  void http2_response(StreamId id, ResponseHead&& head, bool end) override {
    note(str_cat(id, " response ", head.status, fields(head.headers), end ? " end" : ""));
  }
  void http2_data(StreamId id, std::string_view bytes) override {
    bodies[id].append(bytes);
    if (session != nullptr && consuming) session->consume(id, bytes.size());
  }
  void http2_end(StreamId id, Headers&& trailers) override { note(str_cat(id, " end", fields(trailers))); }
  void http2_drained(StreamId id) override { note(str_cat(id, " drained")); }
  void http2_closed(StreamId id, Http2Code code) override {
    note(str_cat(id, " closed ", http2_code_name(code)));
  }
  void http2_goaway(StreamId last, Http2Code code, std::string_view) override {
    note(str_cat("goaway ", last == 0x7fffffff ? std::string("all") : std::to_string(last), " ",
                 http2_code_name(code)));
  }
  void http2_refused(std::string_view why) override { note(str_cat("refused ", why)); }
  void http2_pong(std::uint64_t payload) override { note(str_cat("pong ", payload)); }

  bool saw(std::string_view line) const {
    return std::find(events.begin(), events.end(), line) != events.end();
  }
  bool saw_part(std::string_view part) const {
    return std::any_of(events.begin(), events.end(),
                       [&](const std::string& event) { return event.find(part) != std::string::npos; });
  }

  Http2Session* session = nullptr;
  bool consuming = true;
  std::vector<std::string> events;
  std::map<StreamId, std::string> bodies;

 private:
  static std::string fields(const Headers& headers) {
    std::string out;
    for (const Header& header : headers.fields()) out += str_cat(" ", header.name, "=", header.value);
    return out;
  }
  void note(std::string event) { events.push_back(std::move(event)); }
};

inline std::string drain(Http2Session& session) {
  std::string out;
  for (std::string_view bytes = session.produce(); !bytes.empty(); bytes = session.produce())
    out.append(bytes);
  return out;
}

}  // namespace weft::codec
