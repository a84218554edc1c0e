// Configuration in the words in which users write it, for whoever looks at it: the admin port, `weft config`,
// `weft explain`. Pure.
#pragma once

#include <string>
#include <string_view>

#include "policy/snapshot.h"

namespace weft::policy {

std::string_view name_of(Protocol protocol);      // "http1"
std::string_view name_of(MtlsMode mode);          // "strict"
std::string_view name_of(DefaultPolicy policy);   // "authenticated"
std::string_view name_of(RbacAction action);      // "deny"
std::string_view name_of(OutboundPolicy policy);  // "registry-only"

std::string describe(Millis duration);                 // "10s", "1500ms"
std::string describe(const RouteRule& rule);           // "header(end-user)=john & method=GET -> v2"
std::string describe(const RbacSource& from);          // "default/hello", "*"
std::string describe(const RbacRule& rule);            // "from=default/hello methods=GET paths=/api/*"
std::string describe(const CallerKey& key);            // "header(x-user)", "cookie(sid)"
std::string describe(const LoadBalancer& balancer);    // "least-request", "hash(header:x-user)"
std::string describe(const OutlierSettings& outlier);  // "consecutive=5 interval=10s ejection=30s max=50%"
std::string describe(const ServiceLimits& limits);     // "connections=1024 pending=1024 requests=1024"
std::string describe(const FaultInjection& fault);     // "delay=5s@10%; abort=503@1%"; empty: none
std::string describe(const Mirror& mirror);            // "v2=10%"; empty: none
std::string describe_retry_on(const RetryPolicy& policy);  // "gateway-error,503"; empty: nothing was named

}  // namespace weft::policy
