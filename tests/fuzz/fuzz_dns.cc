// Cluster DNS: whatever comes in, what goes out fits, answers the same query, and says the same twice.
#include "cli/local/dns.h"
#include "tests/fuzz/fuzz.h"

namespace {

weft::local::DnsZone zone() {
  weft::local::DnsZone zone;
  auto& many = zone.names["many.default.svc.cluster.local"];
  for (std::uint32_t i = 0; i < 100; ++i) many.addresses.push_back(weft::IpAddress::v4(0xc6120000u + i));
  zone.names["a.default.svc.cluster.local"].alias = "many.default.svc.cluster.local";
  zone.names["b.default.svc.cluster.local"].alias = "b.default.svc.cluster.local";
  return zone;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const weft::local::DnsZone names = zone();
  const std::string_view query = weft::fuzz::text(data, size);
  constexpr std::size_t room = 512;
  const std::string answer = weft::local::answer_dns(names, query, room);
  WEFT_CHECK(answer == weft::local::answer_dns(names, query, room));
  if (answer.empty()) return 0;
  WEFT_CHECK(answer.size() >= 12 && answer.size() <= room);
  WEFT_CHECK(answer.substr(0, 2) == query.substr(0, 2));
  // An answer is never answered, so two servers cannot talk for ever.
  WEFT_CHECK(weft::local::answer_dns(names, answer, room).empty());
  const bool well_formed = weft::local::parse_dns_query(query).has_value();
  WEFT_CHECK(well_formed == ((answer[3] & 0x0f) != 1));
  return 0;
}
