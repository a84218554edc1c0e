#include "tests/sim/mesh/world.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "base/text.h"

namespace weft::test {
namespace {

using namespace std::chrono_literals;

// How long calls may take in the worst case: idle time-outs, one behind the other, on a network that stalls.
constexpr auto patience = 40min;
constexpr auto settle_time = 15min;  // longer than any time-out of an idle HTTP connection

}  // namespace

World::World(std::uint64_t seed, const TestRoot& root)
    : random_(seed), root_(root), plan_(plan_world(random_, book_)), network_(seed, plan_.network) {
  redirect_like_iptables(network_);
  later_ = std::make_unique<Later>(network_.add_loop({}));
  for (std::size_t i = 0; i < plan_.callers; ++i) add_host(nobody);
  for (std::size_t service = 0; service < plan_.services.size(); ++service) {
    for (std::size_t i = 0; i < plan_.services[service].pods; ++i) add_host(service);
  }
}

World::~World() = default;

const std::vector<std::string>& World::run() {
  for (const CallPlan& call : plan_.calls) after(call.at, [this, &call] { begin(call); });
  for (const EventPlan& event : plan_.events) after(event.at, [this, event] { happens(event.event); });
  network_.advance(busy_time);
  network_.run_until([this] { return book_.open() == 0; }, patience);
  check_calls();
  for (const auto& host : hosts_) host->caller->hang_up();
  network_.advance(settle_time);
  check_records();
  check_nothing_left();
  return book_.findings();
}

std::size_t World::told(std::size_t (*what)(const RecordingTelemetry&)) const {
  std::size_t count = 0;
  for (const auto& host : hosts_) count += what(host->pod->telemetry);
  return count;
}

// ---- the mesh ----

World::Host& World::add_host(std::size_t service) {
  hosts_.push_back(std::make_unique<Host>());
  Host& host = *hosts_.back();
  const std::string ip = str_cat(plan_.ipv6 ? "2001:2::" : "198.18.0.", hosts_.size());
  host.service = service;
  host.pod = std::make_unique<SimPod>(network_, endpoints_, root_, ip,
                                      service == nobody ? "caller" : str_cat("s", service));
  host.pod->on_ask = [this, &host](const Address& address) { asked(host, address); };
  host.caller = std::make_unique<Caller>(*host.pod, book_);
  if (service != nobody) {
    host.subset = random_.below(2) == 0 ? "v1" : "v2";
    const Address address{host.pod->ip(), application_port};
    ever_.insert(address);
    host.application =
        std::make_unique<Application>(host.pod->loop(), address, plan_.services[service].manner, book_);
  }
  host.pod->set_inbound(inbound_policy(host, policy::MtlsMode::strict, policy::DefaultPolicy::allow));
  return host;
}

policy::InboundPolicy World::inbound_policy(const Host& host, policy::MtlsMode mode,
                                            policy::DefaultPolicy default_policy) const {
  policy::InboundPolicy policy = host.pod->inbound_policy(mode);
  policy.default_policy = default_policy;
  if (host.service == nobody) return policy;
  policy::InboundPort port;
  port.port = application_port;
  port.mtls = mode;
  port.protocol = plan_.services[host.service].config.protocol;
  policy.ports.push_back(port);
  return policy;
}

Duration World::discovery_delay() {
  // Now and then longer than a connection waits for it.
  const bool late = !plan_.healthy && random_.below(8) == 0;
  return std::chrono::milliseconds(random_.below(late ? 1500 : 100));
}

void World::asked(Host& host, const Address& address) {
  after(discovery_delay(), [this, &host, address] { answer(host, address); });
}

void World::answer(Host& host, const Address& address) {
  for (std::size_t service = 0; service < plan_.services.size(); ++service) {
    if (plan_.services[service].config.addresses[0] != address) continue;
    host.known.insert(service);
    return host.pod->know({current(service)});
  }
  for (const auto& other : hosts_) {
    if (other->pod->ip() != address.ip) continue;
    policy::AddressOwner owner;
    owner.address = address;
    owner.kind = policy::AddressOwner::Kind::pod;
    owner.pod = other->pod->endpoint(address.port);
    return host.pod->know({}, {owner});
  }
}

policy::Service World::current(std::size_t service) const {
  policy::Service config = plan_.services[service].config;
  for (const auto& host : hosts_) {
    if (host->service != service || host->leaving) continue;
    config.endpoints.push_back(host->pod->endpoint(application_port));
    config.endpoints.back().subset = host->subset;
    config.endpoints.back().preserve_case = plan_.services[service].preserve_case;
  }
  return config;
}

void World::publish(std::size_t service) {
  for (const auto& host : hosts_) {
    if (!host->known.contains(service)) continue;
    after(discovery_delay(), [this, &host = *host, service] {
      if (host.known.contains(service)) host.pod->know({current(service)});
    });
  }
}

// ---- what happens ----

void World::begin(const CallPlan& call) {
  Host& from = *hosts_[call.from];
  const ServicePlan& service = plan_.services[call.service];
  const Address& to = service.config.addresses[0];
  if (service.manner.speaks == Manner::Speaks::tcp)
    return from.caller->call_tcp(call.id, to, service.manner.greets);
  from.caller->call_http(call.id, to,
                         call.over_http2 ? http::HttpProtocol::http2 : http::HttpProtocol::http1);
}

World::Host& World::any_host() { return *hosts_[random_.below(hosts_.size())]; }

World::Host* World::any_server() {
  Host& host = any_host();
  return host.service == nobody || host.leaving ? nullptr : &host;
}

void World::happens(Event event) {
  const std::size_t service = random_.below(plan_.services.size());
  Host& host = any_host();
  Host* const server = any_server();
  switch (event) {
    case Event::reconfigure:
      reconfigure(plan_.services[service], random_);
      return publish(service);
    case Event::scale_up:
      add_host(service);
      return publish(service);
    case Event::roll_out_of_rotation:
      return roll_out(service);
    case Event::renew_certificate:
      return renew(host);
    case Event::change_mode:
      return host.pod->set_inbound(inbound_policy(
          host, random_.below(2) == 0 ? policy::MtlsMode::permissive : policy::MtlsMode::strict,
          policy::DefaultPolicy::authenticated));
    case Event::break_connections:
      return network_.reset_connections(host.pod->ip());
    case Event::lose_host:
      network_.set_down(host.pod->ip(), true);
      return after(std::chrono::milliseconds(random_.below(4000)),
                   [this, &host] { network_.set_down(host.pod->ip(), false); });
    case Event::kill_application:
      return server ? kill(*server) : void();
    case Event::deny_for_a_while:
      host.pod->set_inbound(inbound_policy(host, policy::MtlsMode::strict, policy::DefaultPolicy::deny));
      return after(1s, [this, &host] {
        host.pod->set_inbound(inbound_policy(host, policy::MtlsMode::strict, policy::DefaultPolicy::allow));
      });
    case Event::forget_address:
      host.known.erase(service);
      return host.pod->forget(plan_.services[service].config.addresses[0]);
    case Event::remove_root:
      return host.pod->tell_root_removed();
  }
}

// As a Deployment is rolled out: a new pod, and when callers have heard of it an old one goes.
void World::roll_out(std::size_t service) {
  add_host(service);
  publish(service);
  after(500ms, [this, service] {
    for (const auto& host : hosts_) {
      if (host->service != service || host->leaving) continue;
      take_out(*host);
      return publish(service);
    }
  });
}

// Termination: it leaves the endpoints and drains at the same moment, works on for a while, and is gone.
void World::take_out(Host& host) {
  host.leaving = true;
  host.pod->drain();
  after(5s, [&host] {
    host.application->stop_listening();
    host.pod->stop_inbound();
  });
}

// In time, however short its life.
void World::renew(Host& host) {
  const bool soon = random_.below(2) == 0;
  host.pod->renew(root_, soon ? Duration(20s) : Duration(24h));
  if (soon) after(10s, [this, &host] { host.pod->renew(root_, 24h); });
}

void World::kill(Host& host) {
  host.application->die();
  after(std::chrono::milliseconds(random_.below(3000)), [&host] {
    if (!host.leaving) host.application->listen();
  });
}

// ---- what must hold ----

void World::check_calls() {
  for (int id = 0; id < book_.size(); ++id) check_call(id);
}

void World::check_call(int id) {
  const Call& call = book_.call(id);
  const Fate& fate = book_.fate(id);
  if (fate.outcome == Outcome::open) return book_.finding(id, "it has no end");
  const Duration took = fate.ended - fate.begun;
  // Beyond its own time-out: connecting, asking discovery, and what the network adds on the way.
  if (call.timeout > Duration(0) && call.method != "TCP" && took > call.timeout + 60s)
    book_.finding(id,
                  str_cat("it took ", std::chrono::duration_cast<std::chrono::seconds>(took).count(), " s"));
  // Each try of an application begins with all of them, and behind one that its caller got there is no other
  // try.
  const bool all_interim =
      fate.status == 0 || !fate.mesh_error.empty() || fate.interim_heads == call.interim_heads;
  if (!all_interim || fate.interim_heads > call.interim_heads)
    book_.finding(id, str_cat("it got ", fate.interim_heads, " interim heads of ", call.interim_heads));
  const bool of_application = fate.outcome == Outcome::answered && fate.mesh_error.empty();
  if (of_application && call.method != "TCP" && fate.deliveries == 0)
    book_.finding(id, "nobody saw what was answered");
  // The receiver's sidecar may send it again where it crossed a close.
  if (fate.copies > (call.websocket ? 0 : 1 + static_cast<int>(limits::safe_retries_max)))
    book_.finding(id, str_cat(fate.copies, " copies of it were seen"));
  if (call.must_succeed && !of_application) {
    book_.finding(id, str_cat("nothing was broken, but it ", outcome_name(fate.outcome), " with ",
                              fate.status, " ", fate.mesh_error, fate.why));
  }
}

void World::check_records() {
  std::vector<int> outbound(static_cast<std::size_t>(book_.size())), inbound_tries = outbound,
                                                                     handed_over = outbound;
  for (const auto& host : hosts_) {
    for (const sidecar::RequestRecord& record : host->pod->telemetry.requests) {
      // A head that the network cut off is no request yet, and has no name.
      if (record.request_id.empty() && record.reason.starts_with("bad-request: the connection closed within"))
        continue;
      const auto number = parse_number<std::uint32_t>(record.request_id);
      if (!number || !book_.knows(static_cast<int>(*number))) {
        book_.finding(str_cat("a record of a request that nobody made: ", record.reason));
        continue;
      }
      const bool out = record.peers.direction == sidecar::Direction::outbound;
      if (record.authority.ends_with("-shadow")) continue;  // of a copy, which is no delivery
      if (!out) {
        inbound_tries[*number] += std::max(1, static_cast<int>(record.tries.size()));
        continue;
      }
      ++outbound[*number];
      check_retries(static_cast<int>(*number), record);
      for (const sidecar::TryRecord& made : record.tries) {
        if (Address::parse(made.endpoint).value().ip == host->pod->ip()) ++handed_over[*number];
      }
    }
  }
  for (int id = 0; id < book_.size(); ++id) {
    if (book_.call(id).method == "TCP") continue;
    const auto at = static_cast<std::size_t>(id);
    const Fate& fate = book_.fate(id);
    const bool told = fate.status != 0 && fate.mesh_error != "bad-request";
    const int least = told || fate.deliveries > 0 ? 1 : 0;
    if (outbound[at] < least || outbound[at] > 1)
      book_.finding(id, str_cat(outbound[at], " access-log records at its caller's sidecar"));
    if (inbound_tries[at] + handed_over[at] < fate.deliveries)
      book_.finding(id,
                    str_cat(inbound_tries[at], " tries in access logs of ", fate.deliveries, " deliveries"));
  }
}

void World::check_retries(int id, const sidecar::RequestRecord& record) {
  const Call& call = book_.call(id);
  const Fate& fate = book_.fate(id);
  if (fate.outcome == Outcome::answered && record.status != fate.status && !call.grpc)
    book_.finding(id, str_cat("its record says ", record.status, ", its caller got ", fate.status));
  for (std::size_t i = 0; i < record.tries.size(); ++i) {
    const std::string& why = record.tries[i].retry_class;
    const bool last = i + 1 == record.tries.size();
    if (record.tries[i].outcome.empty())
      book_.finding(id, str_cat("try ", i + 1, " has no outcome in the record"));
    if (!last && why.empty()) book_.finding(id, str_cat("try ", i + 1, " was made again without a reason"));
    if (!why.empty() && why != "proved" && call.deliveries_max == 1)
      book_.finding(id, str_cat("was made again as ", why));
  }
}

void World::check_nothing_left() {
  for (const auto& host : hosts_) {
    if (const std::size_t left = host->pod->connections())
      book_.finding(str_cat(host->pod->ip().to_string(), " holds ", left, " connections in the end"));
    if (host->application && host->application->connections() > 0)
      book_.finding(
          str_cat("the application of ", host->pod->ip().to_string(), " has connections in the end"));
  }
  if (const std::size_t left = network_.open_connections())
    book_.finding(str_cat(left, " sockets are left open"));
  if (const std::size_t left = network_.pending_events())
    book_.finding(str_cat(left, " timers are left running"));
  for (const Address& address : ever_) {
    if (const auto active = endpoints_.get(address)->active.load())
      book_.finding(str_cat(address.to_string(), " has ", active, " requests in flight in the end"));
  }
  // A queue, one more read, and what TLS adds to them.
  constexpr std::size_t most = limits::write_high_bytes + 2 * limits::read_chunk_bytes;
  if (network_.queued_bytes_max() > most)
    book_.finding(str_cat("a socket had ", network_.queued_bytes_max(), " bytes queued"));
}

}  // namespace weft::test
