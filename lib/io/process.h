// A child process, watched on a loop. Destroying it kills the child (SIGKILL) and reaps it.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/callback.h"
#include "base/result.h"
#include "io/stream.h"

namespace weft::io {

class UvLoop;

// Where one of the child's first three descriptors goes.
struct Stdio {
  enum class Kind { null, inherit, descriptor, pipe };

  static Stdio null() { return {}; }
  static Stdio inherit() { return {Kind::inherit, -1}; }
  // Borrowed until spawn() returns; the child gets a copy.
  static Stdio to(int descriptor) { return {Kind::descriptor, descriptor}; }
  // Ours is Process::take_stdin() and the like. Write to, or read from, it only.
  static Stdio pipe() { return {Kind::pipe, -1}; }

  Kind kind = Kind::null;
  int descriptor = -1;
};

struct ProcessOptions {
  std::vector<std::string> argv;  // argv[0] without a slash is looked for in the PATH of `env`
  std::vector<std::string> env;   // "NAME=value"; the whole of it
  std::string folder;             // to run in; empty: ours
  std::optional<uid_t> uid;       // supplementary groups are dropped as well
  std::optional<gid_t> gid;
  Stdio standard_input;
  Stdio standard_output;
  Stdio standard_error;
  bool own_group = true;        // leads a new process group, so that kill_group() reaches its children
  bool die_with_parent = true;  // SIGKILL when the thread that spawned it ends, however it ends
  // Runs in the child before its user changes; 0, or an errno to give up with. The parent's other threads do
  // not exist there: system calls only, no allocation, no locks.
  Function<int()> before_exec;
};

struct ExitStatus {
  int code = 0;    // when it ended by itself
  int signal = 0;  // when a signal ended it

  std::string to_string() const;  // "exit code 3", "signal 9"
};

class Process {
 public:
  virtual ~Process() = default;
  virtual pid_t pid() const = 0;
  virtual bool running() const = 0;
  // Nothing happens once it has ended.
  virtual void kill(int signal) = 0;
  virtual void kill_group(int signal) = 0;
  // Null unless it was a pipe, and after the first call.
  virtual std::unique_ptr<Stream> take_stdin() = 0;
  virtual std::unique_ptr<Stream> take_stdout() = 0;
  virtual std::unique_ptr<Stream> take_stderr() = 0;
};

// Waits until the child runs its program, or says why it could not. `exited` runs once, never inline.
Result<std::unique_ptr<Process>> spawn(UvLoop& loop, ProcessOptions options,
                                       Function<void(ExitStatus)> exited);

}  // namespace weft::io
