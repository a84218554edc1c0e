// A random world: which Services there are, how they are configured, what is called and what happens
// meanwhile. Pure: the same random numbers give the same plan.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/random.h"
#include "policy/snapshot.h"
#include "tests/sim/mesh/application.h"
#include "tests/sim/mesh/book.h"
#include "tests/sim/sim_network.h"

namespace weft::test {

inline constexpr std::uint16_t application_port = 8080;
inline constexpr auto busy_time = std::chrono::seconds(8);  // calls and events begin within

struct ServicePlan {
  bool healthy = false;    // nothing breaks, and nothing is refused on purpose
  policy::Service config;  // without endpoints
  Manner manner;
  bool any_http_version = false;   // declared, so that a caller may speak the other one
  std::uint32_t attempts_max = 0;  // that any of its configurations has
  bool opted_in = false;           // methods that are not idempotent are tried again in some configuration
  Duration timeout_max{0};         // zero: a configuration has none
  std::size_t pods = 1;
  bool preserve_case = false;  // of its endpoints: nothing shares a connection then
};

struct CallPlan {
  Duration at{0};
  std::size_t from = 0;  // of the pods of the beginning
  std::size_t service = 0;
  bool over_http2 = false;
  int id = 0;
};

// What happens to the mesh. The first few are what goes on in a healthy one: no call may suffer from them.
enum class Event : std::uint8_t {
  reconfigure,
  scale_up,
  roll_out_of_rotation,
  renew_certificate,
  change_mode,
  last_healthy = change_mode,
  break_connections,
  lose_host,
  kill_application,
  deny_for_a_while,
  forget_address,
  remove_root,
  last = remove_root,
};

struct EventPlan {
  Duration at{0};
  Event event = Event::reconfigure;
};

struct WorldPlan {
  bool healthy = false;  // nothing breaks: then every call must succeed
  bool ipv6 = false;
  sim::NetworkOptions network;
  std::size_t callers = 1;  // pods without an application of their own
  std::vector<ServicePlan> services;
  std::vector<CallPlan> calls;
  std::vector<EventPlan> events;
};

// Writes its calls into `book`.
WorldPlan plan_world(Random& random, Book& book);
// Another configuration of the same Service, within the bounds that its plan states.
void reconfigure(ServicePlan& service, Random& random);

}  // namespace weft::test
