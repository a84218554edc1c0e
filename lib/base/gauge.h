// A number that one thread changes and any may read.
#pragma once

#include <atomic>
#include <cstddef>

namespace weft {

class Gauge {
 public:
  // By its one writer, so that no read-modify-write is needed.
  void operator++() { value_.store(value() + 1, std::memory_order_relaxed); }
  void operator--() { value_.store(value() - 1, std::memory_order_relaxed); }
  std::size_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::size_t> value_{0};
};

}  // namespace weft
