// What a sidecar has under way for one Service, counted by all workers together and bounded by
// weft.mesh/limits. Relaxed atomics on a cache line of their own; outlives changes of the configuration.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "policy/retry.h"

namespace weft::policy {

using LoadCount = std::atomic<std::uint32_t>;

// One of the places that a limit grants, given back when this dies. The count outlives it.
class Place {
 public:
  Place() = default;
  Place(Place&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
  Place& operator=(Place&& other) noexcept {
    std::swap(count_, other.count_);
    return *this;
  }
  ~Place() { give_back(); }

  // False when all are taken: then nothing was written that other workers would have to read again.
  bool take(LoadCount& count, std::uint32_t limit) {
    give_back();
    std::uint32_t taken = count.load(std::memory_order_relaxed);
    do {
      if (taken >= limit) return false;
    } while (!count.compare_exchange_weak(taken, taken + 1, std::memory_order_relaxed));
    count_ = &count;
    return true;
  }
  void take_anyway(LoadCount& count) {
    give_back();
    count.fetch_add(1, std::memory_order_relaxed);
    count_ = &count;
  }
  void give_back() {
    if (count_ != nullptr) std::exchange(count_, nullptr)->fetch_sub(1, std::memory_order_relaxed);
  }
  explicit operator bool() const { return count_ != nullptr; }

 private:
  LoadCount* count_ = nullptr;
};

struct alignas(64) ServiceLoad : std::enable_shared_from_this<ServiceLoad> {
  RetryBudget budget;
  LoadCount connections{0};  // upstream connections, idle ones too
  LoadCount pending{0};      // requests that wait for a connection
  LoadCount requests{0};     // requests that have one
};

// A place among the connections. It is often held longer than anything else of the Service.
class ConnectionPlace {
 public:
  ConnectionPlace() = default;
  ConnectionPlace(ConnectionPlace&&) noexcept = default;
  ConnectionPlace& operator=(ConnectionPlace&& other) noexcept {
    std::swap(load_, other.load_);
    std::swap(place_, other.place_);
    return *this;
  }
  // `anyway`: beyond the limit, if need be.
  bool take(ServiceLoad& load, std::uint32_t limit, bool anyway = false) {
    if (anyway)
      place_.take_anyway(load.connections);
    else if (!place_.take(load.connections, limit))
      return false;
    load_ = load.shared_from_this();
    return true;
  }
  void give_back() { *this = ConnectionPlace(); }

 private:
  std::shared_ptr<ServiceLoad> load_;
  Place place_;  // dies first
};

}  // namespace weft::policy
