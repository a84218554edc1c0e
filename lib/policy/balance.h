// Which of several endpoints takes the next request: power of two choices, the one with fewer requests in
// flight. Pure over the endpoints' states, time and randomness.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "policy/endpoint_state.h"

namespace weft::policy {

// Endpoints that one request has been sent to. As many as there can be tries; a value of its exchange.
class TriedEndpoints {
 public:
  void add(const EndpointState& endpoint) {
    if (count_ < tried_.size() && !has(endpoint)) tried_[count_++] = &endpoint;
  }
  bool has(const EndpointState& endpoint) const {
    return std::find(tried_.begin(), tried_.begin() + count_, &endpoint) != tried_.begin() + count_;
  }
  std::size_t size() const { return count_; }

 private:
  std::array<const EndpointState*, 11> tried_{};  // retry_attempts_max and the first try
  std::uint32_t count_ = 0;
};

using EndpointStates = std::vector<std::shared_ptr<EndpointState>>;

// An index into `states`, one of `candidates`, in this order of preference: neither tried nor ejected; not
// tried; tried but not ejected; any. Nothing only when there are no candidates.
std::optional<std::uint32_t> pick_endpoint(const EndpointStates& states,
                                           std::span<const std::uint32_t> candidates,
                                           const TriedEndpoints& tried, MonotonicTime now, Random& random);

}  // namespace weft::policy
