#include "cli/local/service_rules.h"

#include <array>
#include <cstdio>

#include "base/text.h"
#include "cli/local/addresses.h"

namespace weft::local {
namespace {

void append_service(std::string& out, const ServiceAddress& service) {
  const std::string match = str_cat("-A WEFT-SERVICES -d ", service.address.ip.to_string(), " -p ",
                                    service.udp ? "udp" : "tcp", " --dport ", service.address.port);
  const std::size_t count = service.endpoints.size();
  for (std::size_t i = 0; i < count; ++i) {
    out += match;
    // Each rule takes its share of what the ones before it left over, so that all get the same.
    if (i + 1 < count) {
      std::array<char, 32> probability{};
      std::snprintf(probability.data(), probability.size(), "%.10f", 1.0 / static_cast<double>(count - i));
      out += str_cat(" -m statistic --mode random --probability ", std::string_view(probability.data()));
    }
    out += str_cat(" -j DNAT --to-destination ", service.endpoints[i].to_string(), "\n");
  }
}

}  // namespace

std::string iptables_text(const ServiceRules& rules, bool v6) {
  const std::string_view range = v6 ? service_range_v6 : service_range_v4;
  std::string out = str_cat(
      "*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n"
      ":WEFT-SERVICES - [0:0]\n-A PREROUTING -d ",
      range, " -j WEFT-SERVICES\n-A OUTPUT -d ", range, " -j WEFT-SERVICES\n");
  for (const ServiceAddress& service : rules.services) {
    if (service.address.ip.is_v6() == v6) append_service(out, service);
  }
  for (const IpAddress& pod : rules.pods) {
    if (pod.is_v6() != v6) continue;
    out += str_cat("-A POSTROUTING -s ", pod.to_string(), " -d ", pod.to_string(), " -j MASQUERADE\n");
  }
  // What is still addressed to a ClusterIP here has no endpoint.
  out += "COMMIT\n*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n";
  const std::string dns = (v6 ? dns_addresses().v6 : dns_addresses().v4).to_string();
  for (const std::string_view chain : {"FORWARD", "OUTPUT"}) {
    out += str_cat("-A ", chain, " -d ", dns, " -j ACCEPT\n");
    out += str_cat("-A ", chain, " -d ", range, " -p tcp -j REJECT --reject-with tcp-reset\n");
    out += str_cat("-A ", chain, " -d ", range, " -j REJECT\n");
  }
  return out.append("COMMIT\n");
}

}  // namespace weft::local
