// The steps of explain(), one file each. Internal to this folder.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/spiffe_id.h"
#include "cli/explain/explain.h"
#include "policy/path.h"

namespace weft::cli {

// ---- caller.cc ----

struct Caller {
  CallerView view;
  std::optional<SpiffeId> id;      // that its sidecar shows
  const kube::Pod* pod = nullptr;  // a pod that runs as it; with a sidecar where one has
  bool outbound_sidecar = false;   // its connections pass one
  bool registry_only = false;      // outbound-policy
};
Caller find_caller(const World& world, const Question& question, std::vector<std::string>& notes);
// Where an annotation of the caller's pod lets `to` go past its sidecar, the caller is anonymous.
void apply_exclusions(const World& world, const Address& to, Caller& caller, std::vector<std::string>& notes);

// ---- host.cc ----

struct Target {
  std::optional<Address> address;  // nothing: the name is none of the mesh
  const kube::Service* service = nullptr;
};
Result<Target> find_target(const World& world, const Question& question, std::vector<std::string>& notes);

// ---- outbound.cc ----

// REQUIRES: head.target is normalised. `sidecar`: without one, any endpoint is a candidate.
OutboundView explain_outbound(const World& world, const policy::Service& service, policy::Protocol protocol,
                              const codec::RequestHead& head, bool sidecar);

// ---- retries.cc ----

// REQUIRES: out.protocol and out.endpoints are there.
void explain_retries(const policy::Service& service, const codec::RequestHead& head, OutboundView& out);

// ---- receiver.cc ----

// Those of the candidates, equal ones together.
std::vector<ReceiverView> explain_receivers(const World& world, const OutboundView& outbound,
                                            const Caller& caller, const codec::RequestHead& head,
                                            policy::PathHazard hazard);

// ---- text.cc ----

// "a, b and 3 more"; the nearest to `wanted` first, where one is a slip of the finger away.
std::string list_of(std::vector<std::string> names, std::string_view wanted);

}  // namespace weft::cli
