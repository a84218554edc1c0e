// What a container's process is to look like, and its text form: weft starts itself again with it (a memory
// file on descriptor 3), for between fork and exec of a threaded process little is safe. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kube/objects.h"

namespace weft::local {

struct Mount {
  std::string source;  // a file or folder of the node's mount namespace
  std::string target;  // made when it does not exist, without touching the machine's own files
  bool read_only = false;
  bool operator==(const Mount&) const = default;
};

struct ContainerSpec {
  std::vector<std::string> argv;
  std::vector<std::string> env;  // "NAME=value"
  std::string working_dir = "/";
  std::string hostname;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t capabilities = 0;  // what may ever be had, as bits
  bool no_new_privileges = false;
  std::vector<Mount> mounts;
  bool operator==(const ContainerSpec&) const = default;
};

std::string to_json(const ContainerSpec& spec);
Result<ContainerSpec> parse_container_spec(std::string_view json);

// The usual set of container runtimes, with what a manifest adds and drops ("NET_ADMIN", "ALL"). invalid: an
// unknown name.
Result<std::uint64_t> capability_set(const kube::SecurityContext& security);

}  // namespace weft::local
