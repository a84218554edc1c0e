#include "injector/settings.h"

#include "base/text.h"

namespace weft::injector {

void fill_addresses(InjectorConfig& config) {
  const std::string suffix = str_cat(".", config.control_plane_namespace, ".svc");
  if (config.ca_address.empty()) config.ca_address = str_cat("weft-ca", suffix, ":15012");
  if (config.discovery_address.empty())
    config.discovery_address = str_cat("weft-discovery", suffix, ":15011");
}

Result<std::vector<ListenAddress>> parse_listen(std::string_view text) {
  if (const auto port = parse_number<std::uint16_t>(text)) {
    return std::vector<ListenAddress>{{Address{IpAddress::v4(0), *port}, false},
                                      {Address{IpAddress::v6({}), *port}, true}};
  }
  const auto address = Address::parse(text);
  if (address) return std::vector<ListenAddress>{{*address, false}};
  return fail(Code::invalid, str_cat("expected PORT or ADDRESS:PORT, found '", printable(text), "'"));
}

}  // namespace weft::injector
