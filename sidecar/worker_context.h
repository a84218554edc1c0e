// What everything on one worker thread shares: its loop, the present configuration and credentials, its pool
// of upstream connections, and where it reports. Owned by the Worker; borrowed by its connections, which it
// outlives.
#pragma once

#include <memory>
#include <unordered_set>

#include "base/callback.h"
#include "base/random.h"
#include "io/loop.h"
#include "policy/endpoint_state.h"
#include "sidecar/config_store.h"
#include "sidecar/server_first.h"
#include "sidecar/settings.h"
#include "tls/context.h"

namespace weft::sidecar {

class Shadows;
class Telemetry;
class Upstreams;

// The pod's certificate, ready for use. Immutable; shared by all workers, replaced at every renewal.
struct Credentials {
  std::shared_ptr<const tls::Context> client;
  std::shared_ptr<const tls::Context> server;
};

struct WorkerContext {
  io::Loop& loop;
  Random& random;
  const Settings& settings;
  policy::EndpointRegistry& endpoints;
  Telemetry& telemetry;
  // Hands a question for discovery to the control thread.
  Function<void(const Address&)> ask_owner;

  std::shared_ptr<const Config> config;            // never null
  std::shared_ptr<const Credentials> credentials;  // null before the first certificate
  Upstreams* upstreams = nullptr;
  Shadows* shadows = nullptr;
  ServerFirst server_first;
  // Addresses that connections went to, since they were last told to the control thread.
  std::unordered_set<Address> used_addresses;
  bool draining_inbound = false;  // new requests are answered, and told to go elsewhere

  // REQUIRES: credentials.
  bool certificate_expired() const { return credentials->client->svid()->not_after <= loop.wall_now(); }
  // Within the mesh's pod and Service ranges; everything is while those are not known.
  bool in_mesh(const IpAddress& ip) const {
    for (const Cidr& cidr : settings.mesh_cidrs) {
      if (cidr.contains(ip)) return true;
    }
    return settings.mesh_cidrs.empty();
  }
  // Whether connections may leave the mesh.
  bool registry_only() const {
    return config->outbound_policy(settings.outbound_policy) == policy::OutboundPolicy::registry_only;
  }
  bool is_own_pod(const IpAddress& ip) const {
    for (const IpAddress& own : settings.pod_ips) {
      if (own == ip) return true;
    }
    return false;
  }
};

}  // namespace weft::sidecar
