// Which of several endpoints takes the next request (weft.mesh/load-balancer). Pure over the endpoints'
// states, time and randomness, but for the place that round-robin has reached, which the workers share.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "policy/endpoint_state.h"
#include "policy/hash_ring.h"
#include "policy/snapshot.h"

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

// What a choice among endpoints looks at.
struct BalanceInput {
  const EndpointStates& states;
  const TriedEndpoints& tried;
  MonotonicTime now;
  std::uint64_t caller;  // of hash(…): whose request it is
};

// The balancer of one set of endpoints. Immutable but for an atomic: any thread.
class Balancer {
 public:
  // Over those of `endpoints` that are `candidates`.
  Balancer(const LoadBalancer& policy, const std::vector<Endpoint>& endpoints,
           std::vector<std::uint32_t> candidates);

  std::span<const std::uint32_t> candidates() const { return candidates_; }
  // One of the candidates, in this order of preference: neither tried nor to be passed over (ejected, or not
  // reached a moment ago); not tried; tried but not to be passed over; any. Nothing only when there are none.
  // REQUIRES: states[i] is that of endpoints[i].
  std::optional<std::uint32_t> pick(const BalanceInput& input, Random& random) const;

 private:
  struct alignas(64) Turn {
    std::atomic<std::uint32_t> next{0};
  };
  template <class Fits>
  std::optional<std::uint32_t> pick_among(const BalanceInput& input, Random& random, Fits fits) const;

  LoadBalancer::Kind kind_;
  std::vector<std::uint32_t> candidates_;
  HashRing ring_;               // of hash
  std::unique_ptr<Turn> turn_;  // of round-robin
};

}  // namespace weft::policy
