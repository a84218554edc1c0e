// What the workers know together about one endpoint: requests in flight and its recent failures. Relaxed
// atomics on a cache line of their own; a state outlives snapshots, since it is kept by address.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "base/address.h"
#include "policy/outlier.h"

namespace weft::policy {

struct alignas(64) EndpointState {
  std::atomic<std::uint32_t> active{0};  // requests (TCP: connections) in flight
  OutlierState outlier;
};

// Counts one request in flight for as long as it lives. The state belongs to a RouteTable that is held as
// long.
class ActiveRequest {
 public:
  ActiveRequest() = default;
  explicit ActiveRequest(EndpointState& state) : state_(&state) {
    state_->active.fetch_add(1, std::memory_order_relaxed);
  }
  ActiveRequest(ActiveRequest&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  ActiveRequest& operator=(ActiveRequest&& other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~ActiveRequest() {
    if (state_ != nullptr) state_->active.fetch_sub(1, std::memory_order_relaxed);
  }

 private:
  EndpointState* state_ = nullptr;
};

// One for the process: gives every snapshot the same state for the same address. Used when a snapshot
// arrives, never for a request, so a lock is good enough. Any thread.
class EndpointRegistry {
 public:
  std::shared_ptr<EndpointState> get(const Address& address);
  std::size_t size() const;  // states still in use

 private:
  mutable std::mutex mutex_;
  std::unordered_map<Address, std::weak_ptr<EndpointState>> states_;
  std::size_t sweep_at_ = 64;
};

}  // namespace weft::policy
