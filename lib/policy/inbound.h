// What governs one inbound port: which entry of the policy, which mTLS mode, which protocol inside; and what
// governs the pod as a whole. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "policy/annotations.h"
#include "policy/snapshot.h"

namespace weft::policy {

// The entry of `port`, or the one with port 0 that stands for all others. REQUIRES: policy.ports is not
// empty.
const InboundPort& inbound_port(const InboundPolicy& policy, std::uint16_t port);

// The most specific word wins: mtls-ports of the pod, mtls of the pod, mtls of the Namespace, permissive.
MtlsMode effective_mtls(const PodSettings& pod, const NamespaceSettings& name_space, std::uint16_t port);

// Where the pod may connect beyond the mesh; nothing: neither says so.
std::optional<OutboundPolicy> effective_outbound(const PodSettings& pod, const NamespaceSettings& name_space);

// What a port speaks: an opaque port is TCP, whatever a Service declares.
Protocol effective_protocol(const PodSettings& pod, Protocol declared, std::uint16_t port);

// `http`: one of the two, by the first bytes.
enum class InboundPlan : std::uint8_t { http1, http2, http, opaque, detect, close };

// How to read the bytes inside a connection to a port. `alpn` is what the caller proposed ("" for none or for
// plaintext); the receiver's policy decides: a proposal of opaque TCP is closed where HTTP rules govern the
// port.
InboundPlan inbound_plan(Protocol declared, bool has_http_rules, std::string_view alpn);

}  // namespace weft::policy
