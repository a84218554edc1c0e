// The messages of the discovery stream (proto/weft/v1/discovery.proto) as plain values, with both directions
// in one place: discovery encodes what the sidecar decodes, and the other way round. The only users of the
// generated code for weft.v1; bytes go in and out, so protobuf stays behind this header. Pure; any thread.
//
// decode_* refuses what a correct peer never sends (bad addresses, ports above 65535, unknown enum values,
// ports out of order …); the message names the field: "resource service/default/hello:80:
// endpoints[2].address: …".
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "policy/snapshot.h"

namespace weft::kube {

// ---- sidecar to discovery ----

struct Hello {
  std::string pod_uid;
  std::string pod_name;
  std::string name_space;
  std::string address;                      // the pod's IP, without a port
  std::string version;                      // of the sidecar, for people
  std::map<std::string, std::string> held;  // resource name → version
  bool operator==(const Hello&) const = default;
};

struct Subscribe {
  std::vector<std::string> addresses;  // "ip:port"; port 0 asks who owns the IP
  std::vector<std::string> unsubscribe;
  bool operator==(const Subscribe&) const = default;
};

struct Ack {
  std::uint64_t nonce = 0;
  std::string refused;  // empty: taken
  bool operator==(const Ack&) const = default;
};

using SidecarMessage = std::variant<Hello, Subscribe, Ack>;

std::string encode(const SidecarMessage& message);
Result<SidecarMessage> decode_sidecar_message(std::string_view bytes);

// ---- discovery to sidecar ----

struct TrustRoots {
  std::vector<std::string> roots_pem;
  bool operator==(const TrustRoots&) const = default;
};

using Content = std::variant<policy::Service, policy::AddressOwner, policy::InboundPolicy, TrustRoots>;

struct Resource {
  std::string name;     // as resource_name() makes it
  std::string version;  // equal means unchanged
  Content content;
  bool operator==(const Resource&) const = default;
};

struct Update {
  std::uint64_t nonce = 0;
  std::vector<Resource> resources;
  std::vector<std::string> removed;  // resource names
  bool operator==(const Update&) const = default;
};

// "service/default/hello:80", "address/198.18.0.7:80", "inbound", "bundle".
std::string resource_name(const Content& content);
std::string service_resource_name(
    std::string_view service);  // "default/hello:80" → "service/default/hello:80"
std::string address_resource_name(const Address& address);

// A resource serialised once and sent to many. Name and version are what the bytes carry.
struct EncodedResource {
  std::string name;
  std::string version;
  std::string bytes;
};
EncodedResource encode_resource(const Content& content);

std::string encode_update(std::uint64_t nonce,
                          const std::vector<std::shared_ptr<const EncodedResource>>& resources,
                          const std::vector<std::string>& removed);
// Keeps the versions as they are in `update`: the sidecar's cache file is one Update.
std::string encode(const Update& update);
Result<Update> decode_update(std::string_view bytes);

}  // namespace weft::kube
