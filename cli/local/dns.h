// Cluster DNS of a local mesh: parsing a query and answering it from a zone, as pure functions over bytes
// (RFC 1035, RFC 6891 only so far that EDNS is tolerated). The zone is a value; dns_server.h puts it on a
// socket.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/result.h"

namespace weft::local {

inline constexpr std::string_view cluster_domain = "cluster.local";

struct DnsRecord {
  std::vector<IpAddress> addresses;
  std::string alias;  // ExternalName: a CNAME to this name; then `addresses` is empty
};

// Lower-case names without the trailing dot: "hello.default.svc.cluster.local".
struct DnsZone {
  std::map<std::string, DnsRecord, std::less<>> names;
};

struct DnsQuestion {
  std::string name;  // lower case, no trailing dot
  std::uint16_t type = 0;
  std::uint16_t record_class = 0;
};

// What a query asks. invalid: no query of one question (the answer is FORMERR, or nothing when even the
// header is missing).
Result<DnsQuestion> parse_dns_query(std::string_view packet);

// The answer to `packet`, at most `bytes_max` long: what does not fit is left out and the TC bit set. Empty:
// not to be answered at all (too short, or itself an answer).
std::string answer_dns(const DnsZone& zone, std::string_view packet, std::size_t bytes_max);

inline constexpr std::uint16_t dns_type_a = 1;
inline constexpr std::uint16_t dns_type_cname = 5;
inline constexpr std::uint16_t dns_type_aaaa = 28;
inline constexpr std::uint16_t dns_type_any = 255;

}  // namespace weft::local
