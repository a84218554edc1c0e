// How long an exchange may take: weft.mesh/timeout, or what its gRPC caller asks for by grpc-timeout,
// whichever is over first. Pure: what has passed comes in.
#pragma once

#include <chrono>
#include <optional>

#include "base/clock.h"
#include "codec/message.h"
#include "sidecar/local_reply.h"

namespace weft::sidecar {

class TimeLimit {
 public:
  // A grpc-timeout that is malformed says nothing; the application hears of it.
  TimeLimit(const codec::Headers& request, bool grpc, std::optional<Duration> service_timeout);

  const std::optional<Duration>& whole() const { return whole_; }
  bool by_caller() const { return by_caller_; }  // it is the caller's deadline that ends it
  Duration left(Duration passed) const { return whole_ ? *whole_ - passed : Duration::max(); }
  // Where the caller named a deadline, the next in line is told what is left of it, or of ours.
  void announce(Duration passed, codec::Headers& request) const;
  LocalReply exceeded() const;

 private:
  std::optional<Duration> whole_;
  bool by_caller_ = false;
  bool announced_ = false;  // the caller named one
};

}  // namespace weft::sidecar
