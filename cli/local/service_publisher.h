// Brings iptables and DNS in line with Services and pods: one transaction at a time, the latest wins. Lives
// on the loop's thread.
#pragma once

#include <string>

#include "base/callback.h"
#include "cli/local/dns_server.h"
#include "cli/local/endpoints.h"
#include "cli/local/jobs.h"
#include "cli/local/process.h"

namespace weft::local {

class ServicePublisher {
 public:
  // `loaded` runs whenever the rules have come into force.
  ServicePublisher(Jobs& jobs, Reaper& reaper, DnsServer& dns, bool ipv6, Function<void()> loaded)
      : jobs_(jobs), reaper_(reaper), dns_(dns), ipv6_(ipv6), loaded_callback_(std::move(loaded)) {}
  void publish(const EndpointWorld& world);
  // Whether what was published last is in force.
  bool in_force() const { return ever_loaded_ && !loading_ && wanted_ == loaded_; }

 private:
  void load();

  Jobs& jobs_;
  Reaper& reaper_;
  DnsServer& dns_;
  bool ipv6_;
  Function<void()> loaded_callback_;
  ServiceRules wanted_;
  ServiceRules loaded_;
  bool loading_ = false;
  bool ever_loaded_ = false;
  Anchor anchor_;
};

}  // namespace weft::local
