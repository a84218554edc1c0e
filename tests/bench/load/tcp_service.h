// Plain TCP; the first byte says what the connection is for:
//   E           echo: every byte comes back, this one too, until the client closes
//   S           sink: counts the bytes after the S until the end, answers with the count in decimal and
//   closes V SEED \n   as S, but the bytes must be the pattern of that seed; otherwise the answer is "wrong
//   at OFFSET" D COUNT \n  sends that many bytes of pattern 1 and closes
#pragma once

#include <cstdint>
#include <string>

#include "tests/bench/load/pattern.h"
#include "tests/bench/net/crowd.h"
#include "tests/bench/net/listener.h"

namespace weft::bench {

class TcpService {
 public:
  // Borrows both.
  TcpService(Poller& poller, const Pattern& pattern);
  ~TcpService();

  Status listen(const Address& address) { return listener_.listen(address); }
  // After every turn.
  void sweep();
  std::uint64_t connections() const { return accepted_; }

 private:
  class Connection;

  Poller& poller_;
  const Pattern& pattern_;
  Listener listener_;
  Crowd<Connection> connections_;
  std::uint64_t accepted_ = 0;
  std::string incoming_;  // shared by all connections, for each uses it only within one call
};

}  // namespace weft::bench
