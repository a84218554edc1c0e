// From a pod's manifest to the processes and files that make it up: what a kubelet works out before it starts
// anything. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/local/addresses.h"
#include "cli/local/command_line.h"
#include "cli/local/container_spec.h"
#include "kube/objects.h"

namespace weft::local {

// weft's own programs, which stand behind the images of the same name.
struct Program {
  std::string name;  // "weft-sidecar"
  std::string path;
};

struct PlanContext {
  const ImageMap& images;
  const std::vector<Program>& programs;
  std::vector<IpAddress> addresses;  // of the pod, IPv4 first
  std::string volumes;               // folder of the pod's volumes, one folder each
  std::string resolv_conf;           // files to be mounted over those of the machine
  std::string hosts;
};

inline constexpr std::string_view program_folder = "/run/weft/bin";

// The process of one container. invalid: no command is known for its image, a volume is missing, a name is
// wrong.
Result<ContainerSpec> plan_container(const kube::Pod& pod, const kube::Container& container,
                                     const PlanContext& context);

// The value of a downward field: "metadata.name", "metadata.labels['app']", "status.podIP", …
std::optional<std::string> downward_field(const kube::Pod& pod, std::string_view path,
                                          const std::vector<IpAddress>& addresses);

// "$(NAME)" replaced by the value of an earlier variable; "$$(" is a literal "$(". Unknown names stay.
std::string expand_variables(std::string_view text,
                             const std::vector<std::pair<std::string, std::string>>& values);

// What an object cannot have, found before anything is started: an image without a command.
Status check_object(const kube::Object& object, const ImageMap& images, const std::vector<Program>& programs);

// /etc/resolv.conf and /etc/hosts of a pod.
std::string resolv_conf_text(std::string_view name_space);
std::string hosts_text(const kube::Pod& pod, const std::vector<IpAddress>& addresses);

// The user a token volume belongs to: that of the containers that mount it, if they agree on one.
std::optional<std::uint32_t> volume_user(const kube::Pod& pod, std::string_view volume);

}  // namespace weft::local
