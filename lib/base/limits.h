// Every hard limit and default time-out of the data plane, in one place (docs/configuration.md lists them).
#pragma once

#include <chrono>
#include <cstddef>

namespace weft::limits {

using namespace std::chrono_literals;

// Bytes.
inline constexpr std::size_t request_head_bytes_max = 64 * 1024;
inline constexpr std::size_t headers_max = 100;
inline constexpr std::size_t mesh_head_bytes_room = 4096;  // for what a sidecar adds to a head
inline constexpr std::size_t mesh_headers_room = 8;        // the same
inline constexpr std::size_t retry_buffer_bytes_max = 64 * 1024;
inline constexpr std::size_t read_chunk_bytes = 64 * 1024;      // one read from a socket
inline constexpr std::size_t write_high_bytes = 256 * 1024;     // a producer pauses above this much unsent
inline constexpr std::size_t write_low_bytes = 64 * 1024;       // and goes on below
inline constexpr std::size_t detect_bytes_max = 16 * 1024 + 5;  // a ClientHello, in one record or many
inline constexpr std::size_t grpc_message_bytes_max = 4 * 1024 * 1024;
inline constexpr std::size_t chunk_line_bytes_max = 4096;
inline constexpr unsigned interim_heads_max = 32;  // 1xx of one exchange

inline constexpr unsigned workers_max = 64;  // threads of one sidecar

// HTTP/2 (RFC 9113).
inline constexpr unsigned http2_streams_max = 100;
inline constexpr std::size_t http2_stream_window_bytes = 256 * 1024;
inline constexpr unsigned http2_continuations_max = 8;  // of one head
// What each field counts beside its bytes (RFC 9113 § 6.5.2).
inline constexpr std::size_t http2_field_overhead_bytes = 32;
// Requests that come as HTTP/1 share connections between sidecars up to this declared size of their body.
inline constexpr std::size_t shared_body_bytes_max = 16 * 1024;
// What a peer may send each second, per connection; above it, the connection ends.
inline constexpr unsigned http2_resets_per_second_max = 200;
inline constexpr auto http2_rapid_reset_age = 50ms;  // of a stream: its reset counts as long as it is younger
inline constexpr unsigned http2_pings_per_second_max = 50;  // beside one for each frame of a head or body
inline constexpr unsigned http2_settings_per_second_max = 50;
inline constexpr unsigned http2_continuations_per_second_max = 800;
inline constexpr unsigned http2_empty_frames_per_second_max = 800;
// Between sidecars all requests of a worker share a connection, and each of its callers may give up as often
// as it likes: so many times as much.
inline constexpr unsigned mesh_http2_rate_factor = 20;
inline constexpr auto http2_keepalive_interval =
    30s;  // a peer so long silent is pinged while streams are open
inline constexpr auto http2_keepalive_timeout = 10s;  // and given up when it does not answer
// A peer that was told to go has a round trip to hear of it; one that does not say that it has is not waited
// for longer.
inline constexpr auto http2_notice_timeout = 5s;

// Times.
inline constexpr auto connect_timeout = 5s;
inline constexpr auto mesh_connect_timeout = 1s;
inline constexpr auto handshake_timeout = 5s;
inline constexpr auto header_read_timeout = 10s;
inline constexpr auto http_idle_timeout = 5min;
inline constexpr auto tcp_idle_timeout = 1h;
inline constexpr auto detect_silence = 100ms;
inline constexpr auto config_wait = 1s;
inline constexpr auto paused_look_interval = 1s;  // whether the peers of paused streams are still there
inline constexpr auto drain_timeout_max = 45s;
inline constexpr auto shadow_timeout = 10s;  // then a copy for weft.mesh/mirror is given up
inline constexpr auto pool_idle_timeout = 60s;
// A used connection that closes so soon in place of an answer was about to: the request crossed the close.
inline constexpr auto close_race_window = 1s;
inline constexpr auto peer_patience_memory = 5min;  // so long counts what was seen of a peer's idle time-out
// Age of a mesh HTTP connection, ± the jitter, so that those made together do not end together. A caller ends
// its own first, between two requests; the receiver's limit is for callers that have none.
inline constexpr auto mesh_connection_age_max = 1h;
inline constexpr auto mesh_inbound_age_max = 75min;
inline constexpr unsigned age_jitter_percent = 10;
inline constexpr auto certificate_margin = 5s;     // a caller ends a connection so long before its expiry
inline constexpr auto address_unused_max = 10min;  // then an address that nobody dials is given back
// A caller that is refused in the midst of its body is read on for so long, and so much, that it sees why.
inline constexpr auto linger_timeout = 5s;
inline constexpr std::size_t linger_bytes_max = 64 * 1024 * 1024;

// Counts.
inline constexpr std::size_t shadows_max = 64;  // copies for weft.mesh/mirror, of a worker
inline constexpr std::size_t peer_patience_slots_max = 1024;
inline constexpr unsigned safe_retries_max = 2;
inline constexpr unsigned retry_budget_min = 3;
inline constexpr unsigned retry_budget_percent = 20;

static_assert(write_low_bytes < write_high_bytes);
static_assert(read_chunk_bytes <= write_high_bytes, "one read must fit into what may be queued");
static_assert(request_head_bytes_max <= write_high_bytes);
static_assert(mesh_connection_age_max * (100 + age_jitter_percent) <
                  mesh_inbound_age_max * (100 - age_jitter_percent),
              "a caller ends its connection first, or its next request might cross the receiver's close");

}  // namespace weft::limits
