#include "tests/sim/mesh/plan.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "base/text.h"
#include "policy/retry.h"

namespace weft::test {
namespace {

using policy::Millis;
using Speaks = Manner::Speaks;

bool one_in(Random& random, std::uint64_t n) { return random.below(n) == 0; }

std::uint64_t between(Random& random, std::uint64_t least, std::uint64_t most) {
  return least + random.below(most - least + 1);
}

Duration millis_between(Random& random, std::uint64_t least, std::uint64_t most) {
  return std::chrono::milliseconds(between(random, least, most));
}

template <class T>
const T& any_of(Random& random, const std::vector<T>& choices) {
  return choices[random.below(choices.size())];
}

std::uint32_t percent(Random& random) { return static_cast<std::uint32_t>(random.below(101)); }

sim::NetworkOptions plan_network(Random& random, bool healthy) {
  sim::NetworkOptions options;
  options.chunk_bytes_max = any_of<std::size_t>(random, {200, 1400, 4096, 16 * 1024});
  options.in_flight_bytes_max = any_of<std::size_t>(random, {20'000, 64 * 1024, 256 * 1024});
  options.late_chance = any_of<double>(random, {0, 0.05, 0.5});
  if (healthy) return options;
  options.delay_max = millis_between(random, 1, 50);
  options.stall_chance = any_of<double>(random, {0, 0.001, 0.01});
  options.reset_chance = any_of<double>(random, {0, 0.0002, 0.002});
  options.refuse_chance = any_of<double>(random, {0, 0.02, 0.1});
  return options;
}

policy::Protocol declared_as(Random& random, Speaks speaks) {
  if (one_in(random, 3)) return policy::Protocol::detect;
  switch (speaks) {
    case Speaks::http1:
      return policy::Protocol::http1;
    case Speaks::http2:
      return one_in(random, 2) ? policy::Protocol::http2 : policy::Protocol::grpc;
    case Speaks::tcp:
      return policy::Protocol::tcp;
  }
  return policy::Protocol::detect;
}

ServicePlan plan_service(Random& random, std::size_t index, bool healthy, bool ipv6) {
  ServicePlan plan;
  plan.healthy = healthy;
  plan.manner.speaks =
      any_of<Speaks>(random, {Speaks::http1, Speaks::http1, Speaks::http2, Speaks::http2, Speaks::tcp});
  plan.manner.greets = one_in(random, 3);
  if (!healthy && one_in(random, 3)) plan.manner.idle_timeout = millis_between(random, 100, 3000);
  if (one_in(random, 3)) plan.manner.lets_go_after = between(random, 1, 12);
  plan.config.name = str_cat("default/s", index, ":80");
  plan.config.host = str_cat("s", index, ".default.svc.cluster.local");
  plan.config.port = 80;
  plan.config.protocol = declared_as(random, plan.manner.speaks);
  const std::string address =
      str_cat(ipv6 ? "[2001:2:0:1::" : "198.18.128.", index + 1, ipv6 ? "]:80" : ":80");
  plan.config.addresses = {Address::parse(address).value()};
  plan.any_http_version = policy::is_http(plan.config.protocol);
  plan.pods = between(random, 1, 3);
  if (one_in(random, 2)) plan.attempts_max = static_cast<std::uint32_t>(between(random, 1, 3));
  plan.opted_in = plan.attempts_max > 0 && one_in(random, 3);
  if (one_in(random, 2)) plan.timeout_max = millis_between(random, 4000, 10'000);
  reconfigure(plan, random);
  return plan;
}

std::size_t plan_bytes(Random& random, const sim::NetworkOptions& network) {
  const std::uint64_t kind = random.below(20);
  const std::uint64_t largest = std::min<std::uint64_t>(20 * network.chunk_bytes_max, 100'000);
  if (kind < 4) return 0;
  if (kind < 15) return between(random, 1, 1500);
  if (kind < 19) return between(random, 1500, largest);
  return between(random, largest, 2 * largest);
}

std::vector<Deed> plan_deeds(Random& random, const ServicePlan& service, bool healthy) {
  std::vector<Deed> deeds;
  while (true) {
    Deed deed;
    if (one_in(random, 3)) deed.delay = millis_between(random, 0, 300);
    if (one_in(random, 8)) deed.act = Deed::Act::answer_early;
    if (!healthy && one_in(random, 4)) {
      deed.act = any_of<Deed::Act>(
          random, {Deed::Act::reset, Deed::Act::reset_in_answer, Deed::Act::silence, Deed::Act::answer});
      deed.status = any_of<int>(random, {200, 404, 409, 500, 503});
    }
    deeds.push_back(deed);
    if (deeds.size() > service.attempts_max || one_in(random, 2)) return deeds;
  }
}

int plan_call(Random& random, const ServicePlan& service, const sim::NetworkOptions& network, bool healthy,
              bool over_http2, Book& book) {
  Call call;
  const bool http = service.manner.speaks != Speaks::tcp;
  call.grpc = over_http2 && service.manner.speaks == Speaks::http2 && one_in(random, 3);
  call.method = !http ? "TCP"
                : call.grpc
                    ? "POST"
                    : any_of<std::string>(random, {"GET", "GET", "POST", "POST", "PUT", "DELETE", "HEAD"});
  call.websocket = call.method == "GET" && one_in(random, 3);
  if (call.grpc || call.websocket || call.method == "POST" || call.method == "PUT" || !http)
    call.request_bytes = plan_bytes(random, network);
  call.answer_bytes = plan_bytes(random, network);
  call.request_chunked = one_in(random, 2);
  call.answer_chunked = one_in(random, 2);
  const bool ends_with_trailers = http && !call.websocket;
  call.request_trailers = call.request_bytes > 0 && ends_with_trailers && one_in(random, 6);
  call.answer_trailers = call.method != "HEAD" && ends_with_trailers && one_in(random, 6);
  if (http && !call.websocket && one_in(random, 6))
    call.interim_heads = static_cast<int>(between(random, 1, 3));
  call.slow_reader = one_in(random, 6);
  call.slow_writer = one_in(random, 6);
  if (!healthy && one_in(random, 10)) call.gives_up = millis_between(random, 1, 5000);
  call.deeds = plan_deeds(random, service, healthy);
  // Over HTTP/2 a WebSocket is asked for by CONNECT.
  const bool repeatable = policy::is_idempotent(call.method) && !call.grpc && !(call.websocket && over_http2);
  if (http && service.attempts_max > 0 && (repeatable || service.opted_in))
    call.deliveries_max = 1 + static_cast<int>(service.attempts_max);
  // What crossed the close of a used connection goes again if it is idempotent, at either sidecar.
  constexpr int safe_tries = 1 + static_cast<int>(limits::safe_retries_max);
  if (repeatable) call.deliveries_max = std::max(call.deliveries_max, safe_tries) * safe_tries;
  if (!call.websocket) call.timeout = service.timeout_max;  // which is not for the life of a tunnel
  call.must_succeed = healthy;
  call.over = str_cat(over_http2 ? "HTTP/2" : "HTTP/1", " to ",
                      service.manner.speaks == Speaks::http2 ? "HTTP/2" : "HTTP/1",
                      service.any_http_version ? ", declared" : "");
  return book.plan(std::move(call));
}

// Which of the endpoints, by more than chance: rules before the canary, the balancer, callers that stay.
void steer(policy::Service& config, Random& random) {
  using Kind = policy::RouteCondition::Kind;
  const policy::CallerKey key{policy::CallerKey::Kind::header, "x-id"};
  config.routes.clear();
  for (std::uint64_t left = one_in(random, 2) ? 0 : between(random, 1, 2); left > 0; --left) {
    policy::RouteRule rule;
    rule.conditions.push_back(
        any_of<policy::RouteCondition>(random, {{Kind::method, "", "POST"},
                                                {Kind::path_prefix, "", "/call/1"},
                                                {Kind::header_matches, key.name, ".*[0-4]"}}));
    rule.subset = any_of<std::string>(random, {"v1", "v2", "v3"});
    config.routes.push_back(std::move(rule));
  }
  using Balancer = policy::LoadBalancer::Kind;
  config.load_balancer = {any_of<Balancer>(random, {Balancer::least_request, Balancer::round_robin,
                                                    Balancer::random, Balancer::hash}),
                          key};
  config.canary_sticky.reset();
  if (one_in(random, 3)) config.canary_sticky = key;
}

// What is made of requests beside carrying them. Where all must succeed nothing is refused.
void trouble(policy::Service& config, Random& random, bool healthy) {
  config.mirror = policy::Mirror();
  if (one_in(random, 3)) config.mirror = {any_of<std::string>(random, {"v1", "v2", "v3"}), percent(random)};
  config.fault = policy::FaultInjection();
  if (one_in(random, 4)) {
    config.fault.delay = Millis(between(random, 1, 300));
    config.fault.delay_percent = percent(random);
    config.fault.abort_status = any_of<std::uint16_t>(random, {404, 503});
    config.fault.abort_percent = healthy ? 0 : percent(random);
  }
  config.outlier = policy::OutlierSettings();
  if (one_in(random, 3)) {
    config.outlier.consecutive = static_cast<std::uint32_t>(between(random, 1, 3));
    config.outlier.ejection = Millis(between(random, 500, 5000));
    config.outlier.max_percent = percent(random);
  }
  config.limits = policy::ServiceLimits();
  if (healthy || !one_in(random, 4)) return;
  config.limits.connections = static_cast<std::uint32_t>(between(random, 1, 3));
  config.limits.pending = static_cast<std::uint32_t>(between(random, 1, 5));
  config.limits.requests = static_cast<std::uint32_t>(between(random, 1, 5));
}

}  // namespace

void reconfigure(ServicePlan& service, Random& random) {
  policy::Service& config = service.config;
  config.timeout.reset();
  if (service.timeout_max > Duration(0)) {
    const auto most = std::chrono::duration_cast<Millis>(service.timeout_max).count();
    config.timeout = Millis(between(random, 3500, static_cast<std::uint64_t>(most)));
  }
  config.retry = policy::RetryPolicy();
  if (service.attempts_max > 0 && !one_in(random, 4)) {
    config.retry.attempts = static_cast<std::uint32_t>(between(random, 1, service.attempts_max));
    if (one_in(random, 2))
      config.retry.retry_on = static_cast<std::uint32_t>(random.below(policy::retry_per_try_timeout * 2));
    if (one_in(random, 2)) config.retry.per_try_timeout = Millis(between(random, 1500, 3000));
    if (one_in(random, 3)) config.retry.budget_percent = static_cast<std::uint32_t>(between(random, 0, 100));
    if (service.opted_in && !one_in(random, 3)) {
      config.retry.methods = {one_in(random, 2) ? "POST" : "*"};
      // Of gRPC only what it names itself.
      if (config.retry.retry_on) *config.retry.retry_on |= policy::retry_grpc_unavailable;
    }
  }
  service.preserve_case = one_in(random, 3);
  config.canary.clear();
  if (one_in(random, 3)) {
    const std::uint32_t share = percent(random);
    // Some of the subsets have no endpoint, and some endpoints no subset.
    config.canary = {{"v1", share}, {any_of<std::string>(random, {"v2", "v3"}), 100 - share}};
  }
  steer(config, random);
  trouble(config, random, service.healthy);
}

WorldPlan plan_world(Random& random, Book& book) {
  WorldPlan plan;
  plan.healthy = one_in(random, 3);
  plan.ipv6 = one_in(random, 3);
  plan.network = plan_network(random, plan.healthy);
  plan.callers = between(random, 1, 2);
  const std::size_t services = between(random, 1, 3);
  std::size_t pods = plan.callers;
  for (std::size_t i = 0; i < services; ++i) {
    plan.services.push_back(plan_service(random, i, plan.healthy, plan.ipv6));
    pods += plan.services.back().pods;
  }
  const auto busy = static_cast<std::uint64_t>(std::chrono::milliseconds(busy_time).count());
  for (std::uint64_t left = between(random, 6, 20); left > 0; --left) {
    CallPlan call;
    call.at = millis_between(random, 0, busy);
    // Applications with callers of their own call as well, perhaps themselves.
    call.from = one_in(random, 4) ? random.below(pods) : random.below(plan.callers);
    call.service = random.below(services);
    const ServicePlan& service = plan.services[call.service];
    call.over_http2 = service.any_http_version ? one_in(random, 2) : service.manner.speaks == Speaks::http2;
    call.id = plan_call(random, service, plan.network, plan.healthy, call.over_http2, book);
    plan.calls.push_back(call);
  }
  const Event last = plan.healthy ? Event::last_healthy : Event::last;
  for (std::uint64_t left = random.below(8); left > 0; --left) {
    plan.events.push_back({millis_between(random, 0, busy),
                           static_cast<Event>(random.below(static_cast<std::uint64_t>(last) + 1))});
  }
  return plan;
}

}  // namespace weft::test
