// HTTP/1.1 as cheap as it can be: any GET is 128 bytes, GET /bytes/N is N bytes, what is posted is thrown
// away. Pipelined requests of one read are answered by one write.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tests/bench/load/pattern.h"
#include "tests/bench/net/crowd.h"
#include "tests/bench/net/listener.h"
#include "tests/bench/net/outlet.h"

namespace weft::bench {

class HttpService {
 public:
  // Borrows both.
  HttpService(Poller& poller, const Pattern& pattern);
  ~HttpService();

  Status listen(const Address& address) { return listener_.listen(address); }
  // After every turn.
  void sweep();
  std::uint64_t requests() const { return requests_; }
  std::uint64_t bad_requests() const { return bad_requests_; }

 private:
  class Connection;

  Poller& poller_;
  const Pattern& pattern_;
  Listener listener_;
  Crowd<Connection> connections_;
  std::uint64_t requests_ = 0;
  std::uint64_t bad_requests_ = 0;
  // Shared by all connections, for each uses them only within one call.
  std::string incoming_;
  std::string answers_;
  std::string small_answer_;
};

}  // namespace weft::bench
