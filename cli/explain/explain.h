// Why a request goes where it goes, and whether it may: the decisions of sidecar and discovery, asked one by
// one of the code that makes them (discovery/translate, policy/route, policy/retry, policy/rbac,
// policy/path). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/explain/world.h"
#include "codec/message.h"
#include "policy/snapshot.h"

namespace weft::cli {

struct Question {
  std::string from_namespace;  // empty: anonymous
  std::string from_account;
  std::string host;  // a name as the application would write it, or an IP address
  std::uint16_t port = 0;
  codec::RequestHead head;
};
// `from`: NS/SA or "anonymous"; `to`: HOST:PORT; headers: "name=value".
Result<Question> make_question(std::string_view from, std::string_view to, std::string_view method,
                               std::string_view path, const std::vector<std::string>& headers);

struct CallerView {
  std::string name;      // "default/hello", "anonymous"
  std::string identity;  // SPIFFE id; empty: none is shown to the receiver
  std::string pod;       // one that runs as it and has a sidecar, "default/hello-1"; empty: none does
};

// A rule of weft.mesh/routes before, and at, the one that was taken.
struct RouteTrial {
  std::size_t number = 0;  // from 1
  std::string rule;
  bool matches = false;
  bool taken = false;  // a rule that matches is passed over where its subset has no endpoint
};

struct ShareView {
  std::string subset;
  std::uint32_t weight = 0;
  double percent = 0;  // of the requests, as things stand
};

struct EndpointView {
  policy::Endpoint endpoint;
  bool candidate = false;  // of this request
  bool ejected = false;
};

struct RetryView {
  std::string failure;  // "connection reset before a response"
  std::string allowed;  // "proved", "idempotent", "opted-in"; empty: it is not tried again
  std::uint32_t times = 0;
};

// weft.mesh/canary-sticky, for this caller.
struct StickyView {
  std::string key;                    // "header(x-user)"
  std::optional<std::string> caller;  // what the request has there; nothing: chance decides
  std::string subset;                 // that the caller keeps; empty: chance decides, or no subset is there
};

// What else the caller's sidecar does with a request of this Service.
struct SteeringView {
  policy::LoadBalancer balancer;
  std::optional<std::string> caller;  // of hash: what the request has there
  std::string endpoint;               // of hash: where this caller goes first; empty: it cannot be said
  policy::OutlierSettings outlier;
  std::size_t ejected_max = 0;  // endpoints of this Service, at once
  policy::ServiceLimits limits;
  policy::FaultInjection fault;  // none for opaque TCP, nor a mirror
  policy::Mirror mirror;
  std::vector<std::string> mirror_endpoints;
};

struct OutboundView {
  std::string service;  // "default/world:80"; empty: none governs
  policy::Protocol protocol = policy::Protocol::detect;
  bool http = true;                // whether the request is seen as one, or as opaque TCP
  std::vector<RouteTrial> routes;  // as far as they were looked at
  std::string subset;              // of the rule that was taken; empty: none was
  std::vector<ShareView> canary;   // empty: no weights decide
  std::optional<StickyView> sticky;
  std::vector<EndpointView> endpoints;
  std::optional<SteeringView> steering;  // nothing: the caller has no sidecar
  std::optional<policy::Millis> timeout;
  policy::RetryPolicy retry;
  std::vector<RetryView> retries;  // HTTP
};

struct RuleTrial {
  std::string name;  // "service default/world allow #1"
  std::string rule;  // "from=default/hello methods=GET"
  bool matches = false;
  std::string why_not;  // "methods"; of a rule that does not match
};

struct ReceiverView {
  std::vector<std::string> workloads;  // pods for which all of this is the same
  std::string identity;
  std::uint16_t port = 0;
  bool sidecar = true;     // without one, or past it, nothing below applies
  std::string past;        // why it is past its sidecar: "weft.mesh/exclude-inbound-ports"
  bool mutual_tls = true;  // of this request
  policy::MtlsMode mtls = policy::MtlsMode::permissive;
  policy::Protocol protocol = policy::Protocol::detect;
  policy::DefaultPolicy default_policy = policy::DefaultPolicy::allow;
  std::vector<RuleTrial> rules;
  bool allowed = false;
  int status = 0;      // of a refusal; 0: the connection is closed
  std::string reason;  // as x-weft-error has it; empty: allowed
  std::string rule;    // as x-weft-rule has it, or the audit rule that matched
  std::string why;     // one sentence
};

struct Outcome {
  bool allowed = false;
  bool depends = false;  // on which receiver is chosen
  int status = 0;
  std::string reason;
  std::string rule;
  std::string why;
};

struct Explanation {
  CallerView caller;
  std::string to;       // as asked
  std::string address;  // what the application's connection goes to
  std::string owner;    // "Service default/world", "pod default/world-1", "nobody …"
  std::string request;  // "GET /x", the path as it is decided on and forwarded
  std::optional<OutboundView> outbound;
  std::vector<ReceiverView> receivers;
  Outcome outcome;
  std::vector<WrongAnnotation> wrong;  // annotations of the objects concerned
  std::vector<std::string> notes;
};

// Errors teach: an unknown host says what there is.
Result<Explanation> explain(const World& world, Question question);

std::string to_text(const Explanation& explanation);
std::string to_json(const Explanation& explanation);

}  // namespace weft::cli
