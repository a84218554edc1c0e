#include "codec/http2.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/text.h"
#include "codec/http2_callbacks.h"
#include "codec/http2_ping.h"
#include "codec/http2_stream.h"
#include "codec/trailers.h"

namespace weft::codec {
namespace {

// HTTP/1 servers are known to send a length with these; a peer would take the whole message for malformed
// (RFC 9110 § 8.6, RFC 9113 § 8.1.1).
bool has_no_length(int status) { return status < 200 || status == 204; }

// What every peer takes in one DATA frame (RFC 9113 § 4.2).
constexpr std::int32_t frame_bytes = 16 * 1024;

// As HTTP/2 counts it.
std::size_t list_bytes_max(const PeerLimits& peer) {
  return peer.head_bytes + peer.head_fields * limits::http2_field_overhead_bytes;
}

}  // namespace

Http2Session::Http2Session(Role role, Http2Handler& handler, const Http2Options& options)
    : role_(role),
      handler_(handler),
      incoming_(list_bytes_max(options.limits), options.limits.head_fields),
      limits_(options.limits.http2_rate_factor),
      data_scan_(role == Role::server ? NGHTTP2_CLIENT_MAGIC_LEN : 0) {
  session_ = make_nghttp2_session(*this, role == Role::server);
  std::vector<nghttp2_settings_entry> settings = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, options.streams_max},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<std::uint32_t>(options.stream_window_bytes)},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(list_bytes_max(options.limits))},
  };
  if (role == Role::client)
    settings.push_back({NGHTTP2_SETTINGS_ENABLE_PUSH, 0});
  else
    settings.push_back({NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1});
  WEFT_CHECK(nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size()) == 0);
  // Room for every stream to be stopped. nghttp2 opens a window again when half of it is consumed, so twice
  // as much.
  const std::size_t window = 2 * options.streams_max * options.stream_window_bytes;
  WEFT_CHECK(window <= NGHTTP2_MAX_WINDOW_SIZE);
  WEFT_CHECK(nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0,
                                                   static_cast<std::int32_t>(window)) == 0);
}

Http2Session::~Http2Session() {
  WEFT_CHECK(!busy_);
  nghttp2_session_del(session_);
}

void Http2Session::feed(std::string_view bytes, MonotonicTime now) {
  WEFT_CHECK(!busy_);
  now_ = now;
  while (!bytes.empty() && !dead_ && !fault_) {
    const Http2DataScan::Piece piece = data_scan_.next(bytes);
    std::string_view seen = bytes.substr(0, piece.size);
    bytes.remove_prefix(piece.size);
    if (piece.data_stream) {
      // Between the frames before it and its own, which ends the stream if it is empty: one byte is kept
      // back.
      if (!take(seen.substr(0, seen.size() - 1))) return;
      check_order(*piece.data_stream, false);
      seen.remove_prefix(seen.size() - 1);
    }
    if (!take(seen)) return;
  }
}

// False when the session is over.
bool Http2Session::take(std::string_view bytes) {
  if (fault_) return false;
  if (bytes.empty()) return true;
  busy_ = true;
  const ssize_t taken =
      nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  busy_ = false;
  if (taken < 0) broke(static_cast<int>(taken));
  return taken >= 0 && !dead_ && !fault_;
}

std::string_view Http2Session::produce() {
  WEFT_CHECK(!busy_);
  if (dead_) return {};
  busy_ = true;
  const std::uint8_t* bytes = nullptr;
  const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
  for (const StreamId id : std::exchange(drained_, {})) {
    if (find(id) != nullptr) handler_.http2_drained(id);
  }
  busy_ = false;
  if (size < 0) broke(static_cast<int>(size));
  return size > 0 ? text_of(bytes, static_cast<std::size_t>(size)) : std::string_view();
}

bool Http2Session::finished() const {
  return dead_ || (nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0);
}

void Http2Session::broke(int nghttp2_error) {
  dead_ = true;
  if (fault_) return;
  fault_ =
      nghttp2_error == NGHTTP2_ERR_BAD_CLIENT_MAGIC
          ? Error{Code::invalid, "the peer does not speak HTTP/2 (with prior knowledge, or TLS with ALPN h2)"}
          : peer_broke(nghttp2_strerror(nghttp2_error));
}

void Http2Session::count(Http2Limits::Event event) {
  const std::optional<std::string> too_much = limits_.count(event, now_);
  if (!too_much || fault_) return;
  end_with(Http2Code::enhance_your_calm, Error{Code::limit, str_cat("the peer sent ", *too_much)});
}

// A server resets no more than it was asked, if perhaps what we have reset already; a client has paid for
// what it resets with the place that the stream had for a while.
void Http2Session::reset_arrived(StreamId id) {
  Stream* const stream = find(id);
  if (role_ == Role::server) {
    if (stream == nullptr)
      count(Http2Limits::Event::empty_frame);  // it crossed our answer
    else if (now_ - stream->began < limits::http2_rapid_reset_age)
      count(Http2Limits::Event::reset);
  }
  if (stream == nullptr) return;
  stream->reset_by_peer = true;
  order_.reset(id);
}

void Http2Session::check_order(StreamId id, bool may_begin) {
  if (fault_ || find(id) != nullptr) return;
  using Verdict = Http2Order::Verdict;
  const Verdict verdict = may_begin ? order_.look_at_request(id) : order_.look(id);
  if (verdict == Verdict::after_reset) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_STREAM_CLOSED);
    count(Http2Limits::Event::forced_reset);
  } else if (verdict == Verdict::after_end) {
    end_with(Http2Code::stream_closed, peer_broke("it went on behind END_STREAM"));
  } else if (verdict == Verdict::out_of_order) {
    end_with(Http2Code::protocol_error, peer_broke("its streams are out of order"));
  }
}

void Http2Session::malformed(StreamId id, std::string_view why) {
  Stream* const stream = find(id);
  if (stream != nullptr && stream->malformed.empty()) stream->malformed = why;
  count(Http2Limits::Event::forced_reset);
}

void Http2Session::end_with(Http2Code code, Error why) {
  fault_ = std::move(why);
  nghttp2_session_terminate_session(session_, static_cast<std::uint32_t>(code));
}

Http2Session::Stream* Http2Session::find(StreamId id) const {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second.get();
}

void Http2Session::begin_stream(StreamId id) { streams_.emplace(id, std::make_unique<Stream>(now_)); }

void Http2Session::head_complete(StreamId id, bool end) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->reset || fault_) return;
  const bool is_head = role_ == Role::server ? !stream->announced : !stream->head_received;
  if (!is_head) {
    Headers trailers = incoming_.take_trailers();
    if (!misplaced_in_trailers(trailers).empty()) {
      reset(id, Http2Code::protocol_error);
      return malformed(id, "trailers that frame or address the message");
    }
    end_arrived(id, std::move(trailers));
    return;
  }
  // nghttp2 asks for three digits; RFC 9110 § 15 for a first one of 1 to 5.
  if (role_ == Role::client && incoming_.status() < 100) {
    reset(id, Http2Code::protocol_error);
    return malformed(id, "a status below 100");
  }
  stream->remote_end = end;
  if (role_ == Role::server) {
    if (last_taken_ && id > *last_taken_) {
      // It came while the GOAWAY that excludes it was still waiting to leave.
      stream->reset = true;
      nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
      return;
    }
    stream->announced = true;
    RequestHead head = incoming_.take_request();
    stream->connect = head.method == "CONNECT";
    handler_.http2_request(id, std::move(head), end);
    return;
  }
  stream->head_received = incoming_.status() >= 200;
  handler_.http2_response(id, incoming_.take_response(), end);
}

void Http2Session::data_arrived(StreamId id, std::string_view bytes) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->reset || fault_) {
    nghttp2_session_consume(session_, id, bytes.size());
    return;
  }
  stream->unconsumed += bytes.size();
  handler_.http2_data(id, bytes);
}

void Http2Session::end_arrived(StreamId id, Headers&& trailers) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->reset || fault_ || stream->remote_end) return;
  stream->remote_end = true;
  handler_.http2_end(id, std::move(trailers));
}

void Http2Session::stream_closed(StreamId id, std::uint32_t code) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  const std::unique_ptr<Stream> stream = std::move(found->second);
  streams_.erase(found);
  // What nobody took must not shrink the connection's window for good.
  if (stream->unconsumed > 0) nghttp2_session_consume_connection(session_, stream->unconsumed);
  if (stream->remote_end) order_.ended(id);
  if (!stream->announced) {
    if (!stream->malformed.empty()) handler_.http2_refused(stream->malformed);
    return;
  }
  const bool never_sent = role_ == Role::client && !stream->head_sent;
  const auto closed = never_sent ? Http2Code::refused_stream : static_cast<Http2Code>(code);
  // nghttp2 tells some of what it resets a stream for, such as a wrong length, in no other way.
  const bool by_nghttp2 = !stream->reset && !stream->reset_by_peer && closed != Http2Code::no_error &&
                          closed != Http2Code::refused_stream;
  if (role_ == Role::server || (stream->malformed.empty() && !by_nghttp2))
    return handler_.http2_closed(id, closed);
  handler_.http2_malformed(
      id, peer_broke(str_cat("its response is malformed: ",
                             stream->malformed.empty() ? http2_code_name(closed) : stream->malformed)));
}

Result<StreamId> Http2Session::request(const RequestHead& head, bool end) {
  WEFT_CHECK(role_ == Role::client);
  if (dead_ || fault_ || nghttp2_session_check_request_allowed(session_) == 0) {
    return fail(Code::closed, "the HTTP/2 connection takes no more requests");
  }
  if (!head.protocol.empty() &&
      nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) != 1) {
    return fail(Code::not_found, "the server does not take an extended CONNECT (RFC 8441)");
  }
  std::vector<nghttp2_nv> fields = {http2_field(":method", head.method)};
  // A plain CONNECT names nothing but its authority (RFC 9113 § 8.5).
  if (head.method != "CONNECT" || !head.protocol.empty()) {
    fields.push_back(http2_field(":scheme", head.scheme.empty() ? "http" : std::string_view(head.scheme)));
    fields.push_back(http2_field(":path", head.target));
  }
  if (!head.protocol.empty()) fields.push_back(http2_field(":protocol", head.protocol));
  if (!head.authority.empty()) fields.push_back(http2_field(":authority", head.authority));
  add_http2_fields(fields, head.headers);
  const nghttp2_data_provider provider = http2_body_provider();
  const StreamId id = nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(),
                                             end ? nullptr : &provider, nullptr);
  if (id < 0) return fail(Code::closed, str_cat("no HTTP/2 stream: ", nghttp2_strerror(id)));
  begin_stream(id);
  Stream& stream = *find(id);
  stream.announced = true;
  stream.out_end = end;
  return id;
}

std::size_t Http2Session::requests_max() const {
  return nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

// The window of the connection is all streams' (RFC 9113 § 6.9.1). A peer that wants it larger than at first
// says so behind its SETTINGS.
bool Http2Session::stalled() const {
  return heard_settings_ && nghttp2_session_get_remote_window_size(session_) < frame_bytes;
}

bool Http2Session::head_sent(StreamId id) const {
  const Stream* stream = find(id);
  return stream == nullptr || stream->head_sent;
}

void Http2Session::respond(StreamId id, const ResponseHead& head, bool end) {
  WEFT_CHECK(role_ == Role::server);
  Stream* stream = find(id);
  if (stream == nullptr || stream->reset) return;
  if (stream->connect && head.status >= 200 && head.status < 300) stream->tunnel = true;
  const std::string status = std::to_string(head.status);
  std::vector<nghttp2_nv> fields = {http2_field(":status", status)};
  for (const Header& header : head.headers.fields()) {
    if (has_no_length(head.status) && equals_ignore_case(header.name, "content-length")) continue;
    fields.push_back(http2_field(header.name, header.value));
  }
  if (head.status < 200) {
    nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, id, nullptr, fields.data(), fields.size(), nullptr);
    return;
  }
  stream->out_end = end;
  const nghttp2_data_provider provider = http2_body_provider();
  nghttp2_submit_response(session_, id, fields.data(), fields.size(), end ? nullptr : &provider);
}

void Http2Session::send_data(StreamId id, std::string_view bytes) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->reset || stream->out_end) return;
  stream->out.append(bytes);
  if (stream->out.size() > limits::write_high_bytes) stream->above_high = true;
  nghttp2_session_resume_data(session_, id);
}

void Http2Session::send_end(StreamId id, const Headers& trailers) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->reset || stream->out_end) return;
  stream->out_end = true;
  stream->out_trailers = trailers;
  nghttp2_session_resume_data(session_, id);
}

std::size_t Http2Session::queued(StreamId id) const {
  const Stream* stream = find(id);
  return stream == nullptr ? 0 : stream->out.size();
}

void Http2Session::reset(StreamId id, Http2Code code) {
  Stream* stream = find(id);
  if (stream == nullptr || stream->reset || (stream->end_sent && stream->remote_end)) return;
  stream->reset = true;
  stream->out.clear();
  consume(id, stream->unconsumed);
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, static_cast<std::uint32_t>(code));
}

void Http2Session::abandon(StreamId id) {
  Stream* stream = find(id);
  if (stream == nullptr) return;
  stream->tunnel = false;
  if (stream->end_sent) reset(id, Http2Code::no_error);
}

void Http2Session::consume(StreamId id, std::size_t bytes) {
  Stream* stream = find(id);
  if (stream == nullptr || bytes == 0) return;
  bytes = std::min(bytes, stream->unconsumed);
  stream->unconsumed -= bytes;
  nghttp2_session_consume(session_, id, bytes);
}

void Http2Session::ping(std::uint64_t payload) {
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, ping_bytes(payload).data());
}

// What it names as not taken the peer will send elsewhere: so it must not be taken, either (RFC 9113 § 6.8).
void Http2Session::close_the_door() {
  if (last_taken_) return;
  shutting_down_ = true;
  last_taken_ = nghttp2_session_get_last_proc_stream_id(session_);
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, *last_taken_, NGHTTP2_NO_ERROR, nullptr, 0);
}

void Http2Session::shut_down() {
  if (shutting_down_) return;
  shutting_down_ = true;
  if (role_ == Role::server) {
    nghttp2_submit_shutdown_notice(session_);  // and then a ping: frame_sent()
  } else {
    nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, nullptr, 0);
  }
}

}  // namespace weft::codec
