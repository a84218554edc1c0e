#include "cli/local/service_publisher.h"

#include "base/log.h"

namespace weft::local {

void ServicePublisher::publish(const EndpointWorld& world) {
  dns_.set_zone(std::make_shared<const DnsZone>(make_zone(world)));
  wanted_ = make_service_rules(world);
  load();
}

void ServicePublisher::load() {
  if (loading_ || (ever_loaded_ && wanted_ == loaded_)) return;
  loading_ = ever_loaded_ = true;
  loaded_ = wanted_;
  jobs_.run(
      [&reaper = reaper_, ipv6 = ipv6_, rules = loaded_]() -> Result<std::string> {
        WEFT_TRY(reaper.run({"iptables-restore", "--wait"}, iptables_text(rules, false)));
        if (!ipv6) return std::string();
        return reaper.run({"ip6tables-restore", "--wait"}, iptables_text(rules, true));
      },
      anchor_.guard([this](const Result<std::string>& result) {
        loading_ = false;
        if (!result) log::error("Service rules not loaded", {{"why", result.error().message}});
        load();
        if (!loading_) loaded_callback_();
      }));
}

}  // namespace weft::local
