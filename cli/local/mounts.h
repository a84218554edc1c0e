// The files a container sees: the machine's own, with /run replaced and the manifest's volumes put in place,
// in a mount namespace of its own. Nothing is ever made on the machine itself: where a mount point is
// missing, its folder is replaced by a memory one that has everything the old one had, and the mount point
// besides. Blocking.
#pragma once

#include <vector>

#include "base/result.h"
#include "cli/local/container_spec.h"

namespace weft::local {

// REQUIRES: the process is alone in a PID namespace (for /proc), single-threaded, with CAP_SYS_ADMIN.
Status enter_container_files(const std::vector<Mount>& mounts);

}  // namespace weft::local
