// One run of a whole mesh in virtual time: pods with real sidecars, applications that call each other, and
// what happens to them, all from one seed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "policy/endpoint_state.h"
#include "tests/lib/tls/test_root.h"
#include "tests/sidecar/sim_pod.h"
#include "tests/sim/later.h"
#include "tests/sim/mesh/application.h"
#include "tests/sim/mesh/book.h"
#include "tests/sim/mesh/caller.h"
#include "tests/sim/mesh/plan.h"
#include "tests/sim/sim_network.h"

namespace weft::test {

class World {
 public:
  World(std::uint64_t seed, const TestRoot& root);
  ~World();
  // Plays it to its end and tells what was wrong.
  const std::vector<std::string>& run();
  const Book& book() const { return book_; }
  // Of all sidecars together.
  std::size_t told(std::size_t (*what)(const RecordingTelemetry&)) const;

 private:
  static constexpr std::size_t nobody = SIZE_MAX;
  struct Host {
    std::unique_ptr<SimPod> pod;
    std::size_t service = nobody;
    std::string subset;
    bool leaving = false;
    std::unique_ptr<Application> application;
    std::unique_ptr<Caller> caller;
    std::set<std::size_t> known;  // Services that its sidecar has asked for
  };

  // ---- the mesh ----
  Host& add_host(std::size_t service);
  policy::InboundPolicy inbound_policy(const Host& host, policy::MtlsMode mode,
                                       policy::DefaultPolicy policy) const;
  // What discovery does.
  void asked(Host& host, const Address& address);
  void answer(Host& host, const Address& address);
  void publish(std::size_t service);
  policy::Service current(std::size_t service) const;
  Duration discovery_delay();

  // ---- what happens ----
  void begin(const CallPlan& call);
  void happens(Event event);
  void roll_out(std::size_t service);
  void take_out(Host& host);
  void renew(Host& host);
  void kill(Host& host);
  Host& any_host();
  Host* any_server();  // one with an application that stays
  void after(Duration delay, Function<void()> task) { later_->after(delay, std::move(task)); }

  // ---- what must hold ----
  void check_calls();
  void check_call(int id);
  void check_records();
  void check_retries(int id, const sidecar::RequestRecord& record);
  void check_nothing_left();

  Book book_;
  SeededRandom random_;
  const TestRoot& root_;
  WorldPlan plan_;
  sim::SimNetwork network_;
  policy::EndpointRegistry endpoints_;
  std::vector<std::unique_ptr<Host>> hosts_;
  std::unique_ptr<Later> later_;
  std::set<Address> ever_;  // endpoints
};

}  // namespace weft::test
