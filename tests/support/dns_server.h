// A tiny DNS server on loopback: answers A and AAAA questions from a table, everything else with NXDOMAIN.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/address.h"
#include "io/udp.h"
#include "io/uv_loop.h"

namespace weft::test {

class DnsServer {
 public:
  explicit DnsServer(io::UvLoop& loop);

  const Address& address() const { return socket_->local_address(); }

  std::map<std::string, std::vector<IpAddress>> names;  // lower case, without the last dot
  std::set<std::string> silent;                         // never answered
  std::vector<std::string> asked;                       // the names of all questions

 private:
  void question(const Address& from, std::string_view datagram);

  std::unique_ptr<io::UdpSocket> socket_;
};

}  // namespace weft::test
