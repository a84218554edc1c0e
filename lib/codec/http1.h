// HTTP/1.0 and HTTP/1.1 messages out of bytes (RFC 9112). Pull style and without I/O: the owner hands in what
// arrived and asks for one event after the other, so that it can stop after any of them.
// Strict: whatever two recipients could read in two ways is an error. Heads are tokenised by llhttp; the
// line discipline, the request line, the framing and the chunks are checked here. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "codec/http1_chunked.h"
#include "codec/http1_scan.h"
#include "codec/message.h"

namespace weft::codec {

// What is wrong with a message. `status` is the answer a server gives (400, 414, 431, 501, 505); of a
// response 502.
struct Http1Error {
  int status = 400;
  std::string message;
};

struct Http1Event {
  enum class Kind {
    need_more,  // all input is taken and no event is complete
    head,       // request() or response() is ready; interim responses (1xx) are heads without an end
    body,       // `body` points into the input
    end,        // the message is complete and trailers() are its trailers; call begin() for the next one
    error,      // error() says what; the connection cannot go on
  };
  Kind kind = Kind::need_more;
  std::string_view body;
};

// How the body of a message is delimited (RFC 9112 § 6.3).
enum class BodyFraming : std::uint8_t { none, length, chunked, until_close };

struct Http1Framing {
  BodyFraming body = BodyFraming::none;
  std::uint64_t length = 0;  // where `body` is length
  bool keep_alive = false;   // the sender lets the connection go on behind this message
  // Request: HTTP/1.1, has `Upgrade` and `Connection: upgrade`, no body, and is not the obsolete h2c.
  // Response: 101. What follows the head then belongs to another protocol.
  bool upgrade = false;
  bool connect = false;           // request: the method is CONNECT; response: 2xx to it
  bool expects_continue = false;  // request: HTTP/1.1 with `Expect: 100-continue`
};

class Http1Parser {
 public:
  enum class Role : std::uint8_t { request, response };
  explicit Http1Parser(Role role, const PeerLimits& limits = {});

  // Takes bytes off the front of `input` and gives the next event. After an upgrade or CONNECT head that
  // was accepted the rest is not HTTP: the owner stops asking.
  Http1Event next(std::string_view& input);
  // The peer will send no more: `end` where that completes a body, `need_more` where no message is under way
  // (a clean close), otherwise `error`.
  Http1Event finish();
  // Makes ready for the next message; REQUIRES: the last one ended. For responses: the method of the request
  // that the next one answers (HEAD and CONNECT change the framing).
  void begin(std::string_view request_method = {});

  // Valid from the head event to begin(); may be moved out of. Fields are as they came, in order, except
  // that a request's Host is in `authority`, and Transfer-Encoding is gone (framing() has it).
  RequestHead& request() { return request_; }
  ResponseHead& response() { return response_; }
  const Http1Framing& framing() const { return framing_; }
  Headers& trailers() { return trailers_; }
  const Http1Error& error() const { return error_; }
  // Of a body with a Content-Length, how much is still to come; 0 where that is not known.
  std::uint64_t body_left() const { return state_ == State::fixed ? remaining_ : 0; }
  // Whether any byte of the message was seen.
  bool started() const { return state_ != State::head || scan_.bytes() > 0; }

 private:
  enum class State : std::uint8_t { head, fixed, chunked, trailers, until_close, complete, ended, failed };

  Http1Event next_head(std::string_view& input);
  Http1Event next_fixed(std::string_view& input);
  Http1Event next_chunked(std::string_view& input);
  Http1Event next_trailers(std::string_view& input);
  bool head_done(std::string_view head);
  bool request_line(std::string_view line);
  bool status_line(std::string_view line);
  void enter_body();
  bool request_framing();
  bool response_framing();
  bool length_framing(const Headers& headers);
  Http1Event fail(int status, std::string message);

  Role role_;
  State state_ = State::head;
  bool answers_head_ = false;
  bool answers_connect_ = false;
  PeerLimits limits_;
  HeadScan scan_;
  std::string partial_;  // a head or trailers that came in pieces
  ChunkDecoder chunks_;
  std::uint64_t remaining_ = 0;
  Http1Framing framing_;
  RequestHead request_;
  ResponseHead response_;
  Headers trailers_;
  Http1Error error_;
};

// Removes what concerns one connection only (RFC 9110 § 7.6.1): Connection, the fields it names, Keep-Alive,
// Proxy-Connection, Transfer-Encoding, Upgrade and TE (but `TE: trailers` stays). With `keep_upgrade`
// the Upgrade field stays, too.
void strip_hop_by_hop(Headers& headers, bool keep_upgrade);

}  // namespace weft::codec
