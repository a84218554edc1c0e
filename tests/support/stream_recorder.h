// A StreamHandler that writes down what happens to a stream.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "io/stream.h"

namespace weft::test {

class StreamRecorder final : public io::StreamHandler {
 public:
  StreamRecorder() = default;
  explicit StreamRecorder(std::unique_ptr<io::Stream> s) { take(std::move(s)); }

  void take(std::unique_ptr<io::Stream> s) {
    stream = std::move(s);
    stream->start(*this);
  }
  void stream_data(std::string_view bytes) override { data.append(bytes); }
  void stream_end() override { ++ends; }
  void stream_drained() override { ++drains; }
  void stream_failed(const Error& e) override {
    ++failures;
    error = e;
  }
  void stream_end_waits(std::uint64_t bytes_max) override { end_waits_behind = bytes_max; }
  bool over() const { return ends + failures > 0; }

  std::unique_ptr<io::Stream> stream;
  std::string data;
  std::optional<Error> error;
  std::optional<std::uint64_t> end_waits_behind;
  int ends = 0;
  int drains = 0;
  int failures = 0;
};

}  // namespace weft::test
