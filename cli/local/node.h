// The "node" of a local mesh: one child process in network, PID, mount, IPC and UTS namespaces of its own,
// that everything else descends from. It dies with its parent (PR_SET_PDEATHSIG), being PID 1 it takes every
// process with it, and the namespaces, mounts and rules go with the last process: so kill -9 leaves nothing
// behind.
#pragma once

#include <string>

#include "base/callback.h"
#include "base/result.h"
#include "cli/local/process.h"

namespace weft::local {

// The files of one local mesh. What is visible on the machine is only the lock, the process id, the control
// socket and the logs; tokens, keys and volumes are on a tmpfs that only the node's mount namespace has.
class StateFolder {
 public:
  // Below /run/weft/local for root, $XDG_RUNTIME_DIR/weft/local else.
  static StateFolder of(std::string_view mesh_name);
  explicit StateFolder(std::string path) : path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  std::string lock() const { return path_ + "/lock"; }
  std::string pid() const { return path_ + "/pid"; }
  std::string socket() const { return path_ + "/socket"; }
  std::string logs() const { return path_ + "/logs"; }
  // Inside the node only.
  std::string hidden() const { return path_ + "/node"; }
  std::string scratch() const { return hidden() + "/scratch"; }
  std::string cluster() const { return hidden() + "/cluster"; }  // what discovery watches
  std::string volumes() const { return hidden() + "/volumes"; }
  std::string authority() const { return hidden() + "/ca"; }   // the CA's key
  std::string issuer() const { return hidden() + "/issuer"; }  // jwks.json

  // Takes the lock and clears what an earlier mesh of this name left. exists: one is running.
  Result<UniqueFd> take() const;
  // Removes everything. REQUIRES: the lock is held.
  void remove() const;

 private:
  std::string path_;
};

// What the machine must have: root, iproute2, iptables. The error says what is missing and how to get it.
Status check_machine();

// Runs `supervise` as PID 1 of new namespaces, with loopback up and forwarding on, and gives its exit code
// once it has ended. SIGINT, SIGTERM and SIGHUP are passed on as SIGTERM; a third one kills. REQUIRES: one
// thread, root, and `folder` taken.
Result<int> run_in_node(const StateFolder& folder, Function<int()> supervise);

// Whether this thread's network namespace has IPv6. A kernel without it, or one where it is switched off
// (net.ipv6.conf.all.disable_ipv6), is a fact and not an error. A mesh on such a machine has none either.
bool has_ipv6();

}  // namespace weft::local
