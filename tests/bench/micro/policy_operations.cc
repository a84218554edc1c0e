#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "base/text.h"
#include "policy/annotations.h"
#include "policy/path.h"
#include "policy/rbac.h"
#include "policy/route.h"
#include "tests/bench/micro/operation.h"
#include "tests/bench/micro/samples.h"

namespace weft::bench {
namespace {

using namespace std::chrono_literals;

constexpr MonotonicTime now{1h};

Address address_of(std::size_t i) {
  return Address{IpAddress::v4(0xc6120000u + static_cast<std::uint32_t>(i)), 8080};
}

// ---- route ----

// Subset and endpoint for one request.
struct Route {
  std::unique_ptr<policy::EndpointRegistry> registry = std::make_unique<policy::EndpointRegistry>();
  std::unique_ptr<policy::RouteTable> table;
  codec::RequestHead head = request_head(browser_request);
  SeededRandom random{1};
  std::string_view subset;  // that must come out

  void operator()() {
    const policy::RouteChoice choice = table->choose(&head, now, random);
    const auto endpoint = table->pick(choice, {}, now, random);
    WEFT_CHECK(endpoint.has_value() && choice.subset == subset);
  }
};

Function<void()> route(const policy::Annotations& annotations, std::string_view subset) {
  const auto read = policy::parse_service_annotations(annotations);
  WEFT_CHECK(read.errors.empty());
  auto service = std::make_shared<policy::Service>();
  service->routes = read.settings.routes;
  service->canary = read.settings.canary;
  for (std::size_t i = 0; i < 6; ++i)
    service->endpoints.push_back({address_of(i), "", i % 2 == 0 ? "v1" : "v2", ""});
  Route made;
  made.table = std::make_unique<policy::RouteTable>(std::move(service), *made.registry);
  made.subset = subset;
  return made;
}

// ---- balance ----

struct Balance {
  policy::EndpointRegistry registry;
  policy::EndpointStates states;
  policy::TriedEndpoints tried;
  std::optional<policy::Balancer> balancer;
  SeededRandom random{1};

  explicit Balance(std::size_t endpoints) {
    std::vector<std::uint32_t> candidates(endpoints);
    std::iota(candidates.begin(), candidates.end(), 0u);
    for (std::size_t i = 0; i < endpoints; ++i) states.push_back(registry.get(address_of(i)));
    balancer.emplace(policy::LoadBalancer(), std::vector<policy::Endpoint>(), std::move(candidates));
  }
  void pick() { WEFT_CHECK(balancer->pick(policy::BalanceInput{states, tried, now, 0}, random).has_value()); }
};

Function<void()> balance(std::size_t endpoints) {
  return [made = std::make_unique<Balance>(endpoints)] { made->pick(); };
}

// ---- rbac ----

// `count` allow rules of which only the last lets the caller pass.
Function<void()> rbac(int count) {
  std::string rules;
  for (int i = 1; i < count; ++i)
    rules += str_cat("from=default/caller-", i, " methods=GET,HEAD paths=/api/v", i, "/*\n");
  if (count > 0) rules += "from=default/hello methods=GET,POST paths=/shop/*";
  const auto read = policy::parse_pod_annotations(count > 0 ? policy::Annotations{{"weft.mesh/allow", rules}}
                                                            : policy::Annotations{});
  WEFT_CHECK(read.errors.empty() && read.settings.rbac.rules.size() == static_cast<std::size_t>(count));
  policy::InboundPort port;
  port.rules = read.settings.rbac.rules;
  return [rules = policy::PortRules(port, policy::DefaultPolicy::allow, "cluster.local"),
          caller = SpiffeId{"cluster.local", "default", "hello"}] {
    const policy::RbacRequest request{"GET", "/shop/products/espresso-machines", policy::PathHazard::none};
    WEFT_CHECK(rules.decide(&caller, &request).allowed);
  };
}

// ---- paths ----

// Includes the copy of the target, which a request gives away and a benchmark cannot.
template <bool changes>
void normalise(std::string_view target) {
  const policy::NormalTarget normal = policy::normalise_target(std::string(target));
  WEFT_CHECK((normal.target != target) == changes);
}

}  // namespace

void add_policy_operations(Operations& operations) {
  operations.push_back({"route/plain", [] { return route({}, ""); }});
  operations.push_back({"route/canary", [] { return route({{"weft.mesh/canary", "v2=100"}}, "v2"); }});
  operations.push_back({"route/rules", [] {
                          return route({{"weft.mesh/routes",
                                         "header(end-user)=john & path=/shop/* -> v1\n"
                                         "method=POST & path=/shop/cart -> v1\n"
                                         "header(user-agent)~.*Chrome/[0-9]+.* -> v2"}},
                                       "v2");
                        }});
  operations.push_back({"balance/3", [] { return balance(3); }});
  operations.push_back({"balance/100", [] { return balance(100); }});
  operations.push_back({"rbac/0-rules", [] { return rbac(0); }});
  operations.push_back({"rbac/5-rules", [] { return rbac(5); }});
  operations.push_back({"rbac/100-rules", [] { return rbac(100); }});
  operations.push_back(
      {"path/normal",
       [] { return Function<void()>([] { normalise<false>("/shop/products/espresso-machines?page=2"); }); }});
  operations.push_back({"path/untidy", [] {
                          return Function<void()>(
                              [] { normalise<true>("/shop/./a/..//products/%7Ejohn/%2e%2e/x?page=2"); });
                        }});
}

}  // namespace weft::bench
