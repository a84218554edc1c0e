#include "cli/local/container_spec.h"

#include <linux/capability.h>

#include <array>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/text.h"

namespace weft::local {
namespace {

using nlohmann::json;

constexpr std::uint64_t bit(unsigned capability) { return std::uint64_t{1} << capability; }

constexpr std::uint64_t every_capability = (std::uint64_t{1} << (CAP_LAST_CAP + 1)) - 1;
constexpr std::uint64_t usual_capabilities =
    bit(CAP_CHOWN) | bit(CAP_DAC_OVERRIDE) | bit(CAP_FOWNER) | bit(CAP_FSETID) | bit(CAP_KILL) |
    bit(CAP_SETGID) | bit(CAP_SETUID) | bit(CAP_SETPCAP) | bit(CAP_NET_BIND_SERVICE) | bit(CAP_NET_RAW) |
    bit(CAP_SYS_CHROOT) | bit(CAP_MKNOD) | bit(CAP_AUDIT_WRITE) | bit(CAP_SETFCAP);

constexpr std::array<std::pair<std::string_view, unsigned>, 22> names{{
    {"CHOWN", CAP_CHOWN},
    {"DAC_OVERRIDE", CAP_DAC_OVERRIDE},
    {"DAC_READ_SEARCH", CAP_DAC_READ_SEARCH},
    {"FOWNER", CAP_FOWNER},
    {"FSETID", CAP_FSETID},
    {"KILL", CAP_KILL},
    {"SETGID", CAP_SETGID},
    {"SETUID", CAP_SETUID},
    {"SETPCAP", CAP_SETPCAP},
    {"NET_BIND_SERVICE", CAP_NET_BIND_SERVICE},
    {"NET_BROADCAST", CAP_NET_BROADCAST},
    {"NET_ADMIN", CAP_NET_ADMIN},
    {"NET_RAW", CAP_NET_RAW},
    {"IPC_LOCK", CAP_IPC_LOCK},
    {"SYS_CHROOT", CAP_SYS_CHROOT},
    {"SYS_PTRACE", CAP_SYS_PTRACE},
    {"SYS_ADMIN", CAP_SYS_ADMIN},
    {"SYS_NICE", CAP_SYS_NICE},
    {"SYS_RESOURCE", CAP_SYS_RESOURCE},
    {"MKNOD", CAP_MKNOD},
    {"AUDIT_WRITE", CAP_AUDIT_WRITE},
    {"SETFCAP", CAP_SETFCAP},
}};

std::optional<std::uint64_t> capability_bits(std::string_view name) {
  if (name.starts_with("CAP_")) name.remove_prefix(4);
  if (name == "ALL") return every_capability;
  for (const auto& [known, capability] : names) {
    if (known == name) return bit(capability);
  }
  return std::nullopt;
}

template <class T>
bool take(const json& object, const char* key, T& into) {
  const auto found = object.find(key);
  if (found == object.end()) return false;
  if constexpr (std::is_same_v<T, std::string>) {
    if (!found->is_string()) return false;
    into = *found->template get_ptr<const std::string*>();
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!found->is_boolean()) return false;
    into = *found->template get_ptr<const bool*>();
  } else if constexpr (std::is_integral_v<T>) {
    if (!found->is_number_unsigned()) return false;
    into = static_cast<T>(*found->template get_ptr<const json::number_unsigned_t*>());
  } else {
    if (!found->is_array()) return false;
    for (const json& item : *found) {
      if (!item.is_string()) return false;
      into.push_back(*item.template get_ptr<const std::string*>());
    }
  }
  return true;
}

}  // namespace

Result<std::uint64_t> capability_set(const kube::SecurityContext& security) {
  std::uint64_t set = security.privileged ? every_capability : usual_capabilities;
  for (const std::string& name : security.capabilities_drop) {
    const auto bits = capability_bits(name);
    if (!bits) return fail(Code::invalid, str_cat("unknown capability ", printable(name)));
    set &= ~*bits;
  }
  for (const std::string& name : security.capabilities_add) {
    const auto bits = capability_bits(name);
    if (!bits) return fail(Code::invalid, str_cat("unknown capability ", printable(name)));
    set |= *bits;
  }
  return set;
}

std::string to_json(const ContainerSpec& spec) {
  json mounts = json::array();
  for (const Mount& mount : spec.mounts) {
    mounts.push_back({{"source", mount.source}, {"target", mount.target}, {"readOnly", mount.read_only}});
  }
  const json object = {{"argv", spec.argv},
                       {"env", spec.env},
                       {"workingDir", spec.working_dir},
                       {"hostname", spec.hostname},
                       {"uid", spec.uid},
                       {"gid", spec.gid},
                       {"capabilities", spec.capabilities},
                       {"noNewPrivileges", spec.no_new_privileges},
                       {"mounts", std::move(mounts)}};
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<ContainerSpec> parse_container_spec(std::string_view text) {
  const json object = json::parse(text, nullptr, false);
  if (!object.is_object()) return fail(Code::invalid, "container: not a JSON object");
  ContainerSpec spec;
  bool good = take(object, "argv", spec.argv) && take(object, "env", spec.env) &&
              take(object, "workingDir", spec.working_dir) && take(object, "hostname", spec.hostname) &&
              take(object, "uid", spec.uid) && take(object, "gid", spec.gid) &&
              take(object, "capabilities", spec.capabilities) &&
              take(object, "noNewPrivileges", spec.no_new_privileges) && !spec.argv.empty();
  if (const auto mounts = object.find("mounts"); mounts != object.end() && mounts->is_array()) {
    for (const json& item : *mounts) {
      Mount mount;
      good = good && item.is_object() && take(item, "source", mount.source) &&
             take(item, "target", mount.target) && take(item, "readOnly", mount.read_only);
      spec.mounts.push_back(std::move(mount));
    }
  }
  if (!good) return fail(Code::invalid, "container: a field is missing or of the wrong type");
  return spec;
}

}  // namespace weft::local
