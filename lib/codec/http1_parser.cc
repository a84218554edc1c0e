#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/text.h"
#include "codec/http1.h"
#include "codec/http1_target.h"
#include "codec/http1_tokens.h"
#include "codec/trailers.h"

namespace weft::codec {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The version, or the status to refuse it with.
int parse_version(std::string_view text, Version& version) {
  if (text == "HTTP/1.1") {
    version = Version::http11;
  } else if (text == "HTTP/1.0") {
    version = Version::http10;
  } else {
    const bool well_formed = text.size() == 8 && text.starts_with("HTTP/") && is_digit(text[5]) &&
                             text[6] == '.' && is_digit(text[7]);
    return well_formed ? 505 : 400;
  }
  return 0;
}

}  // namespace

Http1Parser::Http1Parser(Role role, const PeerLimits& limits) : role_(role), limits_(limits) {}

void Http1Parser::begin(std::string_view request_method) {
  WEFT_CHECK(state_ == State::ended || !started());
  state_ = State::head;
  answers_head_ = request_method == "HEAD";
  answers_connect_ = request_method == "CONNECT";
  scan_ = HeadScan();
  partial_ = std::string();
  chunks_ = ChunkDecoder();
  framing_ = Http1Framing();
  trailers_ = Headers();
}

Http1Event Http1Parser::next(std::string_view& input) {
  switch (state_) {
    case State::head:
      return next_head(input);
    case State::fixed:
      return next_fixed(input);
    case State::chunked:
      return next_chunked(input);
    case State::trailers:
      return next_trailers(input);
    case State::until_close: {
      const std::string_view body = std::exchange(input, {});
      if (body.empty()) return {};
      return {Http1Event::Kind::body, body};
    }
    case State::complete:
      state_ = State::ended;
      return {Http1Event::Kind::end, {}};
    case State::ended:
      return {};
    case State::failed:
      return {Http1Event::Kind::error, {}};
  }
  return {};
}

Http1Event Http1Parser::finish() {
  switch (state_) {
    case State::head:
      if (!started()) return {};
      return fail(400, "the connection closed within a head");
    case State::until_close:
    case State::complete:
      state_ = State::ended;
      return {Http1Event::Kind::end, {}};
    case State::fixed:
      return fail(400, str_cat("the connection closed ", remaining_, " bytes before the end of the body"));
    case State::chunked:
    case State::trailers:
      return fail(400, "the connection closed before the last chunk");
    case State::ended:
      return {};
    case State::failed:
      break;
  }
  return {Http1Event::Kind::error, {}};
}

Http1Event Http1Parser::next_head(std::string_view& input) {
  std::size_t taken = 0;
  const HeadScan::Result result = scan_.scan(input.substr(0, limits_.head_bytes + 1 - scan_.bytes()), taken);
  if (scan_.bytes() > limits_.head_bytes) {
    return scan_.in_start_line() ? fail(414, "the request line is too long")
                                 : fail(431, "the head is too long");
  }
  if (scan_.fields() > limits_.head_fields) return fail(431, "the head has too many fields");
  if (result == HeadScan::Result::bad) return fail(400, scan_.problem());
  std::string_view head = input.substr(0, taken);
  input.remove_prefix(taken);
  if (result == HeadScan::Result::need_more || !partial_.empty()) {
    partial_.append(head);
    head = partial_;
  }
  if (result == HeadScan::Result::need_more) return {};
  const bool ok = head_done(head);
  partial_ = std::string();
  if (!ok) return {Http1Event::Kind::error, {}};
  return {Http1Event::Kind::head, {}};
}

// The head is whole, and its lines are in order: what does it say?
bool Http1Parser::head_done(std::string_view head) {
  const bool request = role_ == Role::request;
  if (request && head.starts_with("\r\n")) head.remove_prefix(2);
  const std::string_view line = head.substr(0, head.find("\r\n"));
  if (!(request ? request_line(line) : status_line(line))) return false;
  Headers& headers = request ? request_.headers : response_.headers;
  headers.fields().reserve(scan_.fields());
  const HeadTokens tokens =
      request ? tokenize_request(head, request_.method, headers) : tokenize_response(head, headers);
  if (tokens.problem != nullptr) return fail(400, tokens.problem), false;
  if (!(request ? request_framing() : response_framing())) return false;
  // What llhttp makes of the head must be what we make of it; but that it sees no `chunked` in front of a
  // tab.
  if (headers.size() != scan_.fields() || tokens.has_length != headers.has("content-length") ||
      (tokens.chunked && !headers.has("transfer-encoding")) ||
      (!request && tokens.status != response_.status) ||
      (framing_.body == BodyFraming::length && tokens.length != framing_.length)) {
    return fail(400, "the head is ambiguous"), false;
  }
  headers.remove("transfer-encoding");
  if (request) headers.remove("host");
  enter_body();
  return true;
}

bool Http1Parser::request_line(std::string_view line) {
  const auto bad = [this](int status, const char* problem) { return fail(status, problem), false; };
  request_ = RequestHead();
  const std::size_t first = line.find(' ');
  const std::size_t second = line.find(' ', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) {
    return bad(400, "the request line has no version");
  }
  request_.method = std::string(line.substr(0, first));
  if (!is_token(request_.method)) return bad(400, "the method has an invalid character");
  if (const int status = parse_version(line.substr(second + 1), request_.version)) {
    return bad(status, "the version is not HTTP/1.0 or HTTP/1.1");
  }
  const std::string_view target = line.substr(first + 1, second - first - 1);
  return parse_target(target, request_) || bad(400, "the request target is invalid");
}

bool Http1Parser::status_line(std::string_view line) {
  const auto bad = [this](const char* problem) { return fail(502, problem), false; };
  response_ = ResponseHead();
  const std::size_t space = std::min(line.find(' '), line.size());
  if (parse_version(line.substr(0, space), response_.version) != 0 || space == line.size()) {
    return bad("the status line does not begin with HTTP/1.0 or HTTP/1.1");
  }
  const std::string_view rest = line.substr(space + 1);
  const auto status = parse_number<std::uint16_t>(rest.substr(0, 3));
  if (rest.size() < 3 || !status || *status < 100 || (rest.size() > 3 && rest[3] != ' ')) {
    return bad("the status is not a number of three digits");
  }
  response_.status = *status;
  if (rest.size() > 4) response_.reason = std::string(rest.substr(4));
  return true;
}

void Http1Parser::enter_body() {
  scan_ = HeadScan(HeadScan::Begin::fields);
  remaining_ = framing_.length;
  switch (framing_.body) {
    case BodyFraming::none:
      state_ = State::complete;
      break;
    case BodyFraming::length:
      state_ = remaining_ == 0 ? State::complete : State::fixed;
      break;
    case BodyFraming::chunked:
      state_ = State::chunked;
      break;
    case BodyFraming::until_close:
      state_ = State::until_close;
      break;
  }
  if (role_ == Role::response && response_.status < 200 && !framing_.upgrade) {
    state_ = State::head;  // an interim response: the final one follows
    scan_ = HeadScan();
  }
}

// Content-Length and Transfer-Encoding, common to both roles (RFC 9112 §§ 6.1, 6.2): what is not exactly one
// valid statement is refused rather than repaired. Leaves `body` none where there is neither.
bool Http1Parser::length_framing(const Headers& headers) {
  const auto bad = [this](int status, const char* problem) { return fail(status, problem), false; };
  const Version version = role_ == Role::request ? request_.version : response_.version;
  const std::size_t lengths = headers.count("content-length");
  const std::size_t codings = headers.count("transfer-encoding");
  framing_.body = BodyFraming::none;
  if (codings > 0) {
    if (lengths > 0) return bad(400, "both Content-Length and Transfer-Encoding");
    if (version == Version::http10) return bad(400, "Transfer-Encoding in HTTP/1.0");
    if (codings > 1) return bad(400, "more than one Transfer-Encoding");
    const std::string coding = ascii_lower(*headers.get("transfer-encoding"));
    if (coding != "chunked") {
      const std::vector<std::string_view> list = split(coding, ',');
      const bool last_is_chunked =
          trim(list.back()) == "chunked" && coding.find("chunked") + 7 == coding.size();
      return last_is_chunked ? bad(501, "only the transfer coding chunked is known here")
                             : bad(400, "the last transfer coding is not exactly chunked");
    }
    framing_.body = BodyFraming::chunked;
    return true;
  }
  if (lengths > 1) return bad(400, "more than one Content-Length");
  if (lengths == 1) {
    const auto length = parse_number<std::uint64_t>(*headers.get("content-length"));
    if (!length || *length > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return bad(400, "Content-Length is not a number");
    }
    framing_.body = BodyFraming::length;
    framing_.length = *length;
  }
  return true;
}

bool Http1Parser::request_framing() {
  const Headers& headers = request_.headers;
  const auto bad = [this](int status, const char* problem) { return fail(status, problem), false; };
  const std::size_t hosts = headers.count("host");
  if (hosts > 1) return bad(400, "more than one Host");
  if (hosts == 0 && request_.version == Version::http11) return bad(400, "no Host");
  if (hosts == 1) {
    const std::string_view host = *headers.get("host");
    if (!is_authority(host)) return bad(400, "Host is invalid");
    if (request_.authority.empty()) request_.authority = host;  // the target's goes first (RFC 9112 § 3.2.2)
  }
  if (!length_framing(headers)) return false;
  const bool http11 = request_.version == Version::http11;
  const bool body = framing_.body == BodyFraming::chunked || framing_.length > 0;
  framing_.connect = request_.method == "CONNECT";
  if (framing_.connect && body) return bad(400, "CONNECT with a body");
  framing_.keep_alive =
      http11 ? !headers.list_has("connection", "close")
             : headers.list_has("connection", "keep-alive") && !headers.list_has("connection", "close");
  framing_.upgrade = http11 && !body && !framing_.connect && headers.has("upgrade") &&
                     headers.list_has("connection", "upgrade") && !headers.list_has("upgrade", "h2c");
  framing_.expects_continue = http11 && body && headers.list_has("expect", "100-continue");
  return true;
}

bool Http1Parser::response_framing() {
  const Headers& headers = response_.headers;
  if (!length_framing(headers)) return false;
  const int status = response_.status;
  framing_.keep_alive = response_.version == Version::http11 ? !headers.list_has("connection", "close")
                                                             : headers.list_has("connection", "keep-alive");
  framing_.upgrade = status == 101;
  framing_.connect = answers_connect_ && status >= 200 && status < 300;
  const bool never_a_body = status < 200 || status == 204 || framing_.connect;
  if (never_a_body || status == 304 || answers_head_) {
    // A body that must not be there may follow all the same: no further response is read behind it.
    if (never_a_body && (framing_.body == BodyFraming::chunked || framing_.length > 0))
      framing_.keep_alive = false;
    framing_.body = BodyFraming::none;
    framing_.length = 0;
  } else if (framing_.body == BodyFraming::none) {
    framing_.body = BodyFraming::until_close;
    framing_.keep_alive = false;
  }
  return true;
}

Http1Event Http1Parser::next_fixed(std::string_view& input) {
  if (input.empty()) return {};
  const std::size_t bytes = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, input.size()));
  const std::string_view body = input.substr(0, bytes);
  input.remove_prefix(bytes);
  remaining_ -= bytes;
  if (remaining_ == 0) state_ = State::complete;
  return {Http1Event::Kind::body, body};
}

Http1Event Http1Parser::next_chunked(std::string_view& input) {
  std::string_view data;
  switch (chunks_.next(input, data)) {
    case ChunkDecoder::Result::need_more:
      return {};
    case ChunkDecoder::Result::data:
      return {Http1Event::Kind::body, data};
    case ChunkDecoder::Result::last_chunk:
      state_ = State::trailers;
      return next_trailers(input);
    case ChunkDecoder::Result::bad:
      break;
  }
  return fail(400, chunks_.problem());
}

Http1Event Http1Parser::next_trailers(std::string_view& input) {
  std::size_t taken = 0;
  const HeadScan::Result result = scan_.scan(input.substr(0, limits_.head_bytes + 1 - scan_.bytes()), taken);
  if (scan_.bytes() > limits_.head_bytes) return fail(431, "the trailers are too long");
  if (scan_.fields() > limits_.head_fields) return fail(431, "the trailers have too many fields");
  if (result == HeadScan::Result::bad) return fail(400, scan_.problem());
  std::string_view lines = input.substr(0, taken);
  input.remove_prefix(taken);
  if (result == HeadScan::Result::need_more || !partial_.empty()) {
    partial_.append(lines);
    lines = partial_;
  }
  if (result == HeadScan::Result::need_more) return {};
  if (scan_.fields() > 0) {
    const HeadTokens tokens = tokenize_trailers(lines, trailers_);
    const std::string_view misplaced = misplaced_in_trailers(trailers_);
    if (!misplaced.empty()) return fail(400, str_cat("the trailers have ", misplaced));
    if (tokens.problem != nullptr) return fail(400, tokens.problem);
    if (trailers_.size() != scan_.fields()) return fail(400, "the trailers are ambiguous");
  }
  partial_ = std::string();
  state_ = State::ended;
  return {Http1Event::Kind::end, {}};
}

Http1Event Http1Parser::fail(int status, std::string message) {
  state_ = State::failed;
  partial_ = std::string();
  error_ = Http1Error{role_ == Role::request ? status : 502, std::move(message)};
  return {Http1Event::Kind::error, {}};
}

void strip_hop_by_hop(Headers& headers, bool keep_upgrade) {
  std::vector<std::string> named;  // most often nothing but "keep-alive" or "close", which are no fields
  bool trailers_welcome = false;
  for (const Header& field : headers.fields()) {
    if (equals_ignore_case(field.name, "connection")) {
      for (const std::string_view item : split(field.value, ',')) named.emplace_back(trim(item));
    } else if (equals_ignore_case(field.name, "te")) {
      trailers_welcome = headers.list_has("te", "trailers");
    }
  }
  const auto is_named = [&](std::string_view name) {
    return std::any_of(named.begin(), named.end(),
                       [&](const std::string& item) { return equals_ignore_case(item, name); });
  };
  std::erase_if(headers.fields(), [&](const Header& field) {
    const std::string_view name = field.name;
    switch (name.size()) {
      case 2:
        if (equals_ignore_case(name, "te")) return !trailers_welcome;
        break;
      case 4:  // naming what frames or addresses the message would change its meaning behind us
        if (equals_ignore_case(name, "host")) return false;
        break;
      case 7:
        if (equals_ignore_case(name, "upgrade")) return !keep_upgrade;
        break;
      case 10:
        if (equals_ignore_case(name, "connection") || equals_ignore_case(name, "keep-alive")) return true;
        break;
      case 14:
        if (equals_ignore_case(name, "content-length")) return false;
        break;
      case 16:
        if (equals_ignore_case(name, "proxy-connection")) return true;
        break;
      case 17:
        if (equals_ignore_case(name, "transfer-encoding")) return true;
        break;
      default:
        break;
    }
    return is_named(name);
  });
  if (trailers_welcome) headers.set("te", "trailers");
}

}  // namespace weft::codec
