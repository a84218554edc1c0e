// The access log: one line of JSON for each request and each TCP connection, on standard output. Each worker
// gathers lines in a buffer of its own and hands them on at the end of a loop turn, a tenth of a second apart
// at least while it is busy, a second apart at most. Nothing here waits: what finds no room is dropped and
// counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/callback.h"
#include "io/loop.h"
#include "policy/snapshot.h"
#include "sidecar/records.h"

namespace weft::sidecar {

// The lines as text, with the line feed. Network bytes are made printable; a line is at most
// log_line_bytes_max.
std::string access_log_line(const RequestRecord& record);
std::string access_log_line(const ConnectionRecord& record);

inline constexpr std::size_t log_line_bytes_max = 4096;  // PIPE_BUF: such a write is whole or not at all
inline constexpr std::size_t log_buffer_bytes_max = 256 * 1024;

// In mode `errors` a line is written for what weft refused or cut, what ended in 5xx or without an answer,
// what needed more than one try, and what an audit rule matched.
bool is_logged(policy::AccessLog mode, const RequestRecord& record);
bool is_logged(policy::AccessLog mode, const ConnectionRecord& record);

// The way out, shared by the workers. `fd` is borrowed; a pipe, a file or a terminal.
class AccessLogSink {
 public:
  explicit AccessLogSink(int fd) : fd_(fd) {}
  struct Written {
    std::size_t bytes = 0;  // taken
    std::uint64_t lost_lines = 0;
  };
  // Writes as many whole lines as there is room for. Never waits: nothing is taken when the reader is behind
  // or another worker is writing. Where the reader is gone, or the disk is full, everything is taken and
  // lost.
  Written write(std::string_view lines);

 private:
  bool has_room() const;

  const int fd_;
  std::mutex mutex_;
};

// One worker's log. On its thread from start() to stop().
class AccessLog {
 public:
  explicit AccessLog(AccessLogSink& sink) : sink_(sink) {}
  // The worker's loop, which outlives the time until stop().
  void start(io::Loop& loop);
  // Writes what there is room for, and lets go of the loop.
  void stop();

  void add(std::string_view line);
  // Lines dropped since the last call, for the metric.
  std::uint64_t take_dropped();

 private:
  void flush_soon();
  void flush();
  void hand_over();

  AccessLogSink& sink_;
  io::Loop* loop_ = nullptr;
  std::unique_ptr<io::Timer> timer_;
  std::string buffer_;
  std::uint64_t dropped_ = 0;
  MonotonicTime flushed_at_{};
  bool flush_waits_ = false;  // deferred to the end of this turn
  Anchor anchor_;
};

}  // namespace weft::sidecar
