// Cluster DNS on UDP: dns.h behind sockets, on a thread of its own, so that a busy supervisor never makes an
// application wait for a name.
#pragma once

#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "cli/local/dns.h"
#include "cli/local/process.h"

namespace weft::local {

class DnsServer {
 public:
  // Listens on port 53 of each address.
  static Result<std::unique_ptr<DnsServer>> start(const std::vector<IpAddress>& addresses);
  ~DnsServer();
  DnsServer(const DnsServer&) = delete;
  DnsServer& operator=(const DnsServer&) = delete;

  void set_zone(std::shared_ptr<const DnsZone> zone);

 private:
  DnsServer(std::vector<UniqueFd> sockets, UniqueFd stop);
  void serve();
  void answer_one(int socket);

  std::vector<UniqueFd> sockets_;
  UniqueFd stop_;
  std::mutex mutex_;
  std::shared_ptr<const DnsZone> zone_;
  std::thread thread_;
};

}  // namespace weft::local
