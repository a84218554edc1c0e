#include "sidecar/access_log.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "base/check.h"
#include "base/text.h"

namespace weft::sidecar {
namespace {

using namespace std::chrono_literals;

constexpr Duration busy_interval = 100ms;
constexpr Duration retry_interval = 1s;  // the reader was behind
constexpr std::size_t flush_at_bytes = 32 * 1024;

// Lengths for text from the network, tried in turn until the line fits.
constexpr std::size_t text_limits[] = {1024, 128, 16};

class JsonLine {
 public:
  explicit JsonLine(std::size_t text_limit) : text_limit_(text_limit) { out_.reserve(512); }

  void text(std::string_view name, std::string_view value) {
    if (value.empty()) return;
    begin(name);
    quoted(value);
  }
  void number(std::string_view name, std::uint64_t value) {
    begin(name);
    out_.append(std::to_string(value));
  }
  void flag(std::string_view name, bool value) {
    begin(name);
    out_.append(value ? "true" : "false");
  }
  // Milliseconds, to the microsecond.
  void milliseconds(std::string_view name, Duration value) {
    begin(name);
    const std::int64_t us = std::chrono::duration_cast<std::chrono::microseconds>(value).count();
    std::array<char, 32> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(),
                                   static_cast<double>(us) / 1000, std::chars_format::fixed)
                         .ptr;
    out_.append(digits.data(), end);
  }
  void open(std::string_view name, char bracket) {
    if (!name.empty())
      begin(name);
    else if (out_.ends_with('}'))
      out_.push_back(',');
    out_.push_back(bracket);
  }
  void close(char bracket) { out_.push_back(bracket); }
  std::string take() { return std::move(out_); }

 private:
  void begin(std::string_view name) {
    if (!out_.ends_with('{')) out_.push_back(',');
    out_.append("\"").append(name).append("\":");
  }
  void quoted(std::string_view value) {
    out_.push_back('"');
    for (const char c : value.substr(0, text_limit_)) {
      if (c == '"' || c == '\\') {
        out_.push_back('\\');
        out_.push_back(c);
      } else if (c >= 0x20 && c < 0x7f) {
        out_.push_back(c);
      } else {
        // A byte outside ASCII as the code point of the same number: the line stays valid whatever came in.
        out_.append("\\u00").append(hex_encode(std::string_view(&c, 1)));
      }
    }
    if (value.size() > text_limit_) out_.append("...");
    out_.push_back('"');
  }

  const std::size_t text_limit_;
  std::string out_;
};

void write_peers(JsonLine& line, const PeersRecord& peers) {
  line.text("direction", peers.direction == Direction::inbound ? "inbound" : "outbound");
  line.text("source_identity", peers.source_identity);
  line.text("destination_identity", peers.destination_identity);
  line.text("source_workload", peers.source_workload);
  line.text("destination_workload", peers.destination_workload);
  line.text("source_address", peers.source_address);
  line.text("destination_address", peers.destination_address);
  line.text("service", peers.service);
  line.text("subset", peers.subset);
  line.text("endpoint", peers.endpoint);
  line.flag("mutual_tls", peers.mutual_tls);
  line.text("tls_version", peers.tls_version);
}

void write_tries(JsonLine& line, const std::vector<TryRecord>& tries) {
  if (tries.empty()) return;
  line.open("tries", '[');
  for (const TryRecord& attempt : tries) {
    line.open({}, '{');
    line.text("endpoint", attempt.endpoint);
    line.text("reason", attempt.outcome);
    line.text("class", attempt.retry_class);
    line.text("not_retried", attempt.not_retried);
    line.milliseconds("duration_ms", attempt.duration);
    line.close('}');
  }
  line.close(']');
}

std::string write_line(const RequestRecord& record, std::size_t text_limit) {
  JsonLine line(text_limit);
  line.open({}, '{');
  line.text("time", format_time(record.started));
  line.text("kind", "request");
  line.text("method", record.method);
  line.text("authority", record.authority);
  line.text("path", record.path);
  line.text("protocol", record.protocol);
  line.number("status", static_cast<std::uint64_t>(std::max(record.status, 0)));
  line.text("grpc_status", record.grpc_status);
  line.text("reason", record.reason);
  line.text("rule", record.rule);
  write_peers(line, record.peers);
  line.text("route", record.route_rule);
  line.text("request_id", record.request_id);
  write_tries(line, record.tries);
  line.number("request_bytes", record.request_bytes);
  line.number("response_bytes", record.response_bytes);
  if (record.injected_delay > Duration(0)) line.milliseconds("injected_delay_ms", record.injected_delay);
  line.milliseconds("duration_ms", record.duration);
  line.milliseconds("head_ms", record.time_to_head);
  line.close('}');
  return line.take();
}

std::string write_line(const ConnectionRecord& record, std::size_t text_limit) {
  JsonLine line(text_limit);
  line.open({}, '{');
  line.text("time", format_time(record.started));
  line.text("kind", "connection");
  line.text("protocol", record.protocol);
  line.text("reason", record.reason);
  line.text("rule", record.rule);
  write_peers(line, record.peers);
  write_tries(line, record.tries);
  line.number("sent_bytes", record.sent_bytes);
  line.number("received_bytes", record.received_bytes);
  line.milliseconds("duration_ms", record.duration);
  line.close('}');
  return line.take();
}

template <class Record>
std::string fitting_line(const Record& record) {
  for (const std::size_t limit : text_limits) {
    std::string line = write_line(record, limit);
    if (line.size() >= log_line_bytes_max) continue;
    line.push_back('\n');
    return line;
  }
  return {};  // cannot be: the fields are few, and so are the tries
}

bool audited(std::string_view rule) { return rule.find("audit #") != std::string_view::npos; }

}  // namespace

std::string access_log_line(const RequestRecord& record) { return fitting_line(record); }
std::string access_log_line(const ConnectionRecord& record) { return fitting_line(record); }

bool is_logged(policy::AccessLog mode, const RequestRecord& record) {
  if (mode != policy::AccessLog::errors) return mode == policy::AccessLog::all;
  return !record.reason.empty() || record.status == 0 || record.status >= 500 || record.tries.size() > 1 ||
         audited(record.rule);
}

bool is_logged(policy::AccessLog mode, const ConnectionRecord& record) {
  if (mode != policy::AccessLog::errors) return mode == policy::AccessLog::all;
  return !record.reason.empty() || record.tries.size() > 1 || audited(record.rule);
}

// ---- sink ----

// The descriptor may be shared with others, so it is not made non-blocking. But a pipe that polls as writable
// takes PIPE_BUF bytes without waiting, and nobody else of this process writes meanwhile.
bool AccessLogSink::has_room() const {
  pollfd wanted{fd_, POLLOUT, 0};
  return ::poll(&wanted, 1, 0) == 1 && (wanted.revents & (POLLOUT | POLLERR | POLLHUP | POLLNVAL)) != 0;
}

AccessLogSink::Written AccessLogSink::write(std::string_view lines) {
  Written written;
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return written;
  while (written.bytes < lines.size() && has_room()) {
    const std::string_view rest = lines.substr(written.bytes, log_line_bytes_max);
    const std::string_view whole = rest.substr(0, rest.rfind('\n') + 1);
    WEFT_CHECK(!whole.empty());
    const ssize_t count = ::write(fd_, whole.data(), whole.size());
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) break;
    if (count < 0) {
      // There is no use in keeping what cannot be written at all.
      written.bytes += whole.size();
      written.lost_lines += static_cast<std::uint64_t>(std::count(whole.begin(), whole.end(), '\n'));
      continue;
    }
    written.bytes += static_cast<std::size_t>(count);
    if (static_cast<std::size_t>(count) < whole.size()) break;
  }
  return written;
}

// ---- one worker's log ----

void AccessLog::start(io::Loop& loop) {
  loop_ = &loop;
  timer_ = loop.make_timer(anchor_.guard([this] { flush(); }));
  if (!buffer_.empty()) flush_soon();
}

void AccessLog::stop() {
  hand_over();
  timer_.reset();
  loop_ = nullptr;
  anchor_.drop();
}

void AccessLog::add(std::string_view line) {
  if (buffer_.size() + line.size() > log_buffer_bytes_max) {
    ++dropped_;
    return;
  }
  buffer_.append(line);
  flush_soon();
}

std::uint64_t AccessLog::take_dropped() { return std::exchange(dropped_, 0); }

void AccessLog::flush_soon() {
  if (loop_ == nullptr || flush_waits_) return;
  const Duration since = loop_->now() - flushed_at_;
  if (since >= busy_interval || (buffer_.size() >= flush_at_bytes && !timer_->active())) {
    flush_waits_ = true;
    timer_->stop();
    loop_->defer(anchor_.guard([this] { flush(); }));
  } else if (!timer_->active()) {
    timer_->start(busy_interval - since);
  }
}

void AccessLog::hand_over() {
  const AccessLogSink::Written written = sink_.write(buffer_);
  buffer_.erase(0, written.bytes);
  dropped_ += written.lost_lines;
}

void AccessLog::flush() {
  flush_waits_ = false;
  flushed_at_ = loop_->now();
  hand_over();
  if (buffer_.empty()) {
    // A burst's memory is not kept for the quiet time after it.
    if (buffer_.capacity() > flush_at_bytes) std::string().swap(buffer_);
    return;
  }
  timer_->start(retry_interval);
}

}  // namespace weft::sidecar
