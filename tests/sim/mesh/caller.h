// Calls of applications to others, through their own sidecar: HTTP on pooled connections, TCP on one each.
// Each writes into the book how it ended.
#pragma once

#include <memory>

#include "base/address.h"
#include "http/pool.h"
#include "tests/sidecar/sim_pod.h"
#include "tests/sim/mesh/book.h"

namespace weft::test {

// What an application holds to make calls: dropping it closes its connections.
class Caller {
 public:
  Caller(SimPod& pod, Book& book);
  ~Caller();

  void call_http(int id, const Address& to, http::HttpProtocol protocol);
  void call_tcp(int id, const Address& to, bool awaits_greeting);
  void hang_up() { pool_.retire_all(); }

  class Running;  // a call under way

 private:
  SimPod& pod_;
  Book& book_;
  http::Pool pool_;
  std::vector<std::unique_ptr<Running>> running_;
};

}  // namespace weft::test
