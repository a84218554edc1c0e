// The values of single annotations that are more than a number or a word: rules, routes, subsets, retry
// conditions. Internal to lib/policy (annotations.h is the way in). Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/grammar.h"
#include "policy/snapshot.h"

namespace weft::policy::values {

using grammar::Parsed;
using grammar::Piece;

struct RetryOnValue {
  std::uint32_t bits = 0;
  std::vector<std::uint16_t> statuses;
};

Parsed<RetryOnValue> retry_on(const Piece& value);                   // "5xx,reset,503"
Parsed<std::vector<std::string>> retry_methods(const Piece& value);  // "POST,PATCH" or "*"
Parsed<std::vector<WeightedSubset>> canary(const Piece& value);      // "v1=90,v2=10"
Parsed<std::vector<RouteRule>> routes(const Piece& value);  // "header(end-user)=john & path=/x/* -> v2; …"
Parsed<std::vector<PortMode>> mtls_ports(const Piece& value);  // "8080=permissive"
// "from=default/hello methods=GET,HEAD paths=/api/*"; names "<owner> <action> #<n>".
Parsed<std::vector<RbacRule>> rules(const Piece& value, RbacAction action, std::string_view owner);
Parsed<CallerKey> sticky(const Piece& value);            // "header(x-user)" or "cookie(sid)"
Parsed<LoadBalancer> load_balancer(const Piece& value);  // "least-request", "hash(header:x-user)"
Parsed<OutlierSettings> outlier(const Piece& value);     // "consecutive=5 interval=10s ejection=30s max=50%"
Parsed<ServiceLimits> limits(const Piece& value);        // "connections=1024 pending=1024 requests=1024"
Parsed<FaultInjection> fault_injection(const Piece& value);  // "delay=5s@10%; abort=503@1%"
Parsed<Mirror> mirror(const Piece& value);                   // "v2=10%"
Parsed<bool> on_or_off(const Piece& value);                  // "true" or "false"

Parsed<MtlsMode> mtls(const Piece& value);
Parsed<DefaultPolicy> default_policy(const Piece& value);
Parsed<OutboundPolicy> outbound_policy(const Piece& value);
Parsed<AccessLog> access_log(const Piece& value);
Parsed<std::string> log_level(const Piece& value);

// Known names whose effect comes later: their form is checked, so that a mistake shows today.

}  // namespace weft::policy::values
