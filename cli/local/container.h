// The two ways weft starts itself again to become somebody else: as the first process of a container, and as
// a command inside one that runs. Both are for a process that has just begun: single-threaded, root.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"
#include "cli/local/container_spec.h"

namespace weft::local {

// The names of these two among weft's verbs.
inline constexpr const char* container_verb = "__container";
inline constexpr const char* enter_verb = "__enter";

// `weft __container`: descriptor 3 is the spec, 4 the network namespace; PID 1 of a namespace of its own.
// Makes files, host name and network, starts the command, passes signals on, reaps, and ends as the command
// does.
int container_main();

// `weft __enter PROC`: descriptor 3 is the spec; PROC is the folder below /proc of the container's first
// process. Runs spec.argv there and ends as it does.
int enter_main(const std::string& proc_folder);

// The same without the descriptor, for `weft local exec`. Returns the exit code.
Result<int> enter_and_run(const std::string& proc_folder, const ContainerSpec& spec);

}  // namespace weft::local
