// From the cluster's objects to what sidecars are told: pure functions of a State. Equal states give equal
// values, so a push is needed exactly where a value changed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "discovery/index.h"
#include "discovery/policy_objects.h"
#include "kube/objects.h"
#include "policy/snapshot.h"

namespace weft::discovery {

struct MeshOptions {
  std::string trust_domain = "cluster.local";
  std::string cluster_domain = "cluster.local";
  // The pods' and Services' ranges: what is in them and nobody's is refused and never left to plaintext.
  std::vector<Cidr> ranges;
};

// What all translation looks at; borrows.
struct View {
  const Index& index;
  const PolicyObjects& policies;
  const MeshOptions& mesh;
};

// "spiffe://cluster.local/ns/default/sa/hello" of a pod that has a sidecar, else empty.
std::string identity_of(const View& view, const kube::Pod& pod);
// "default/hello:80": the name of a Service's port as a policy::Service.
std::string service_name(const kube::Service& service, std::uint16_t port);

// The Service of a name as service_name() makes it; nothing when there is no such Service or TCP port.
//
// Endpoints are the ready pods that it selects, or, when none is left that stays, ready ones that are about
// to end. One a pod: its address of the Service's first family. Without a selector they come from
// EndpointSlices. An endpoint has an identity when its pod has a sidecar that takes TLS on that port.
std::optional<policy::Service> translate_service(const View& view, std::string_view name);

// Who owns an address: a Service's port, a pod, or nobody. Port 0 asks for the owner of the IP alone.
policy::AddressOwner translate_address(const View& view, const Address& address);

// Who may call a pod; nothing for a pod that is not known or has no sidecar.
//
// Every Service that selects the pod gives its rules to its target port; rules of the pod and of its
// Namespace govern every port. A port whose rules are broken, with no last good ones, denies all.
std::optional<policy::InboundPolicy> translate_inbound(const View& view, std::string_view name_space,
                                                       std::string_view pod);

}  // namespace weft::discovery
