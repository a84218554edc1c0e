#include "codec/http2_callbacks.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "base/check.h"
#include "base/text.h"
#include "codec/http2_ping.h"
#include "codec/http2_stream.h"

namespace weft::codec {
namespace {

// In a GOAWAY that says only that another one will come (RFC 9113 § 6.8).
constexpr StreamId notice_last_stream = 0x7fffffff;

// Part of a head or of a body that has content.
bool is_work(const nghttp2_frame_hd& head) {
  return head.type == NGHTTP2_HEADERS || (head.type == NGHTTP2_DATA && head.length > 0);
}

}  // namespace

nghttp2_nv http2_field(std::string_view name, std::string_view value) {
  // nghttp2 copies both and never writes through these pointers.
  auto bytes = [](std::string_view text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
  };
  // A secret has no business in the compression table (RFC 7541 § 7.1.3).
  const bool secret = equals_ignore_case(name, "authorization");
  return nghttp2_nv{bytes(name), bytes(value), name.size(), value.size(),
                    static_cast<std::uint8_t>(secret ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE)};
}

void add_http2_fields(std::vector<nghttp2_nv>& out, const Headers& headers) {
  for (const Header& header : headers.fields()) out.push_back(http2_field(header.name, header.value));
}

// nghttp2's callbacks; `user` is the session.
struct Http2Callbacks {
  using Event = Http2Limits::Event;

  static Http2Session& self(void* user) { return *static_cast<Http2Session*>(user); }

  static int begin_frame(nghttp2_session*, const nghttp2_frame_hd* head, void* user) {
    Http2Session& session = self(user);
    if (head->type == NGHTTP2_CONTINUATION) {
      session.count(Event::continuation);
    } else if (head->type == NGHTTP2_PRIORITY) {
      session.count(Event::empty_frame);
    } else if (head->type == NGHTTP2_HEADERS) {
      session.check_order(head->stream_id, session.role_ == Http2Session::Role::server);
    }
    return 0;
  }

  static int begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Http2Session& session = self(user);
    session.incoming_.begin();
    session.limits_.head_begins();
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) session.begin_stream(frame->hd.stream_id);
    return 0;
  }

  static int header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                    std::size_t name_size, const std::uint8_t* value, std::size_t value_size, std::uint8_t,
                    void* user) {
    Http2Session& session = self(user);
    if (session.incoming_.add(text_of(name, name_size), text_of(value, value_size))) return 0;
    session.malformed(frame->hd.stream_id, "a head that is larger than it may be");
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // resets this stream
  }

  // A malformed field makes the whole message malformed (RFC 9113 § 8.1.1), where nghttp2 would drop the
  // field.
  static int invalid_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t*, std::size_t,
                            const std::uint8_t*, std::size_t, std::uint8_t, void* user) {
    self(user).malformed(frame->hd.stream_id, "a malformed field");
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }

  static int frame_received(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Http2Session& session = self(user);
    const bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (is_work(frame->hd)) session.limits_.worked();
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
        session.head_complete(frame->hd.stream_id, end);
        break;
      case NGHTTP2_DATA:
        if (end) {
          session.end_arrived(frame->hd.stream_id, Headers());
        } else if (frame->hd.length == frame->data.padlen) {
          session.count(Event::empty_frame);
        }
        break;
      case NGHTTP2_RST_STREAM:
        session.reset_arrived(frame->hd.stream_id);
        break;
      case NGHTTP2_SETTINGS:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) break;
        session.count(Event::settings);
        session.heard_settings_ = true;
        session.handler_.http2_settings();
        break;
      case NGHTTP2_PING:
        ping_received(session, frame->ping);
        break;
      case NGHTTP2_GOAWAY:
        session.handler_.http2_goaway(frame->goaway.last_stream_id,
                                      static_cast<Http2Code>(frame->goaway.error_code),
                                      text_of(frame->goaway.opaque_data, frame->goaway.opaque_data_len));
        break;
      default:
        break;
    }
    return 0;
  }

  static void ping_received(Http2Session& session, const nghttp2_ping& ping) {
    session.count(Event::ping);
    if ((ping.hd.flags & NGHTTP2_FLAG_ACK) == 0) return;
    const std::uint64_t payload = ping_payload(ping.opaque_data);
    if (payload == shut_down_ping && session.shutting_down_) {
      session.close_the_door();
    } else if (!session.fault_) {
      session.handler_.http2_pong(payload);
    }
  }

  // Frames that make nghttp2 reset a stream count as if the peer had reset it.
  static int invalid_frame(nghttp2_session*, const nghttp2_frame* frame, int error, void* user) {
    self(user).malformed(frame->hd.stream_id, nghttp2_strerror(error));
    return 0;
  }

  static int data_chunk(nghttp2_session*, std::uint8_t, StreamId id, const std::uint8_t* bytes,
                        std::size_t size, void* user) {
    self(user).data_arrived(id, text_of(bytes, size));
    return 0;
  }

  static int frame_sent(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Http2Session& session = self(user);
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR && !session.fault_) {
      session.fault_ =
          peer_broke(str_cat(http2_code_name(static_cast<Http2Code>(frame->goaway.error_code)), " ",
                             printable(text_of(frame->goaway.opaque_data, frame->goaway.opaque_data_len))));
    }
    // nghttp2 would let a ping overtake the notice whose arrival it is to prove.
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.last_stream_id == notice_last_stream &&
        session.role_ == Http2Session::Role::server)
      session.ping(shut_down_ping);
    if (is_work(frame->hd)) session.limits_.worked();
    Http2Session::Stream* stream = session.find(frame->hd.stream_id);
    if (stream == nullptr) return 0;
    if (frame->hd.type == NGHTTP2_HEADERS) stream->head_sent = true;
    const bool ends = (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
                      (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    stream->end_sent = stream->end_sent || ends;
    // The answer is complete before the request is: nobody wants the rest (RFC 9113 § 8.1).
    const bool unread = !stream->remote_end && !stream->tunnel && !stream->reset;
    if (ends && session.role_ == Http2Session::Role::server && unread)
      session.reset(frame->hd.stream_id, Http2Code::no_error);
    return 0;
  }

  static int stream_closed(nghttp2_session*, StreamId id, std::uint32_t code, void* user) {
    self(user).stream_closed(id, code);
    return 0;
  }

  static ssize_t read_body(nghttp2_session*, StreamId id, std::uint8_t* buffer, std::size_t size,
                           std::uint32_t* flags, nghttp2_data_source*, void* user) {
    Http2Session& session = self(user);
    Http2Session::Stream* stream = session.find(id);
    if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    const std::size_t taken = std::min(size, stream->out.size());
    if (taken > 0) {
      std::memcpy(buffer, stream->out.view().data(), taken);
      stream->out.consume(taken);
    }
    if (stream->above_high && stream->out.size() < limits::write_low_bytes) {
      stream->above_high = false;
      session.drained_.push_back(id);
    }
    if (stream->out.empty() && stream->out_end) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (!stream->out_trailers.empty()) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        std::vector<nghttp2_nv> fields;
        add_http2_fields(fields, stream->out_trailers);
        nghttp2_submit_trailer(session.session_, id, fields.data(), fields.size());
      }
      return static_cast<ssize_t>(taken);
    }
    return taken == 0 ? static_cast<ssize_t>(NGHTTP2_ERR_DEFERRED) : static_cast<ssize_t>(taken);
  }
};

nghttp2_session* make_nghttp2_session(Http2Session& session, bool server) {
  nghttp2_session_callbacks* callbacks = nullptr;
  WEFT_CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
  nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, Http2Callbacks::begin_frame);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, Http2Callbacks::begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Http2Callbacks::header);
  nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, Http2Callbacks::invalid_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, Http2Callbacks::frame_received);
  nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, Http2Callbacks::invalid_frame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Http2Callbacks::data_chunk);
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, Http2Callbacks::frame_sent);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Http2Callbacks::stream_closed);

  nghttp2_option* option = nullptr;
  WEFT_CHECK(nghttp2_option_new(&option) == 0);
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);
  // What may be sent is for the peer to say; nghttp2's own bound is below what HTTP/1 admits.
  nghttp2_option_set_max_send_header_block_length(option, std::size_t{4} * limits::request_head_bytes_max);
  // nghttp2 counts each piece in which a CONTINUATION's nine header bytes arrive; begin_frame() counts
  // frames.
  nghttp2_option_set_max_continuations(option, std::size_t{10} * limits::http2_continuations_max);
  // The count of resets is ours (count()), by the loop's clock.
  nghttp2_option_set_stream_reset_rate_limit(option, ~0ull, ~0ull);

  nghttp2_session* made = nullptr;
  const int error = server ? nghttp2_session_server_new2(&made, callbacks, &session, option)
                           : nghttp2_session_client_new2(&made, callbacks, &session, option);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  WEFT_CHECK(error == 0);
  return made;
}

nghttp2_data_provider http2_body_provider() {
  nghttp2_data_provider provider{};
  provider.read_callback = Http2Callbacks::read_body;
  return provider;
}

}  // namespace weft::codec
