#include "sidecar/first_word.h"

#include <utility>

#include "base/limits.h"

namespace weft::sidecar {
namespace {

constexpr std::size_t http2_frame_head_bytes = 9;

// The head of a SETTINGS frame that is no acknowledgement, as far as it is there (RFC 9113 § 4.1, § 6.5). No
// protocol whose server speaks first begins like it.
bool may_be_http2_settings(std::string_view bytes) {
  constexpr std::string_view rest = std::string_view("\4\0\0\0\0\0", 6);  // type, flags, stream 0
  constexpr std::size_t length_bytes = 3, setting_bytes = 6;
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(bytes[at]); };
  if (!bytes.empty() && byte(0) != 0) return false;
  if (bytes.size() >= length_bytes && (byte(1) << 8 | byte(2)) % setting_bytes != 0) return false;
  if (bytes.size() <= length_bytes) return true;
  const std::string_view said = bytes.substr(length_bytes, rest.size());
  return said == rest.substr(0, said.size());
}

}  // namespace

FirstWord::FirstWord(io::Loop& loop, std::unique_ptr<io::Stream> downstream, std::string already_read,
                     Function<void(Result)> done)
    : loop_(loop),
      done_(std::move(done)),
      // A member: its callback does not outlive this.
      client_(
          loop, std::move(downstream), std::move(already_read), limits::tcp_idle_timeout,
          [this](Preread::Result read) {
            if (finished_) return;
            // It began, and does not go on: not a protocol that needs more to be told.
            if (read.outcome == Preread::Outcome::silent && !read.bytes.empty())
              read.outcome = Preread::Outcome::detected;
            result_.client = std::move(read);
            finish();
          },
          limits::header_read_timeout) {}

FirstWord::~FirstWord() = default;

void FirstWord::connected(std::unique_ptr<io::Stream> upstream) {
  result_.upstream = std::move(upstream);
  if (!finished_) result_.upstream->start(*this);
}

void FirstWord::stream_data(std::string_view bytes) {
  result_.from_upstream.append(bytes);
  if (!may_be_http2_settings(result_.from_upstream)) return server_spoke();
  // What comes behind them waits in the kernel, however much it is.
  if (result_.from_upstream.size() >= http2_frame_head_bytes) result_.upstream->pause();
}

void FirstWord::stream_end() {
  result_.upstream_ended = true;
  server_spoke();
}

void FirstWord::stream_failed(const Error& error) {
  result_.upstream_failed = true;
  result_.error = error;
  server_spoke();
}

void FirstWord::server_spoke() {
  if (finished_) return;
  result_.server_first = !result_.upstream_failed;
  result_.client = client_.take();
  result_.client.outcome = Preread::Outcome::silent;
  finish();
}

void FirstWord::finish() {
  finished_ = true;
  if (result_.upstream && !result_.upstream_failed) result_.upstream->detach();
  loop_.defer(anchor_.guard([this] { done_(std::move(result_)); }));
}

}  // namespace weft::sidecar
