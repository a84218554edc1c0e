// One probe of one container, repeated as a kubelet does, but quickly until the first success, for a local
// mesh is to be up in seconds. Lives on the loop's thread.
#pragma once

#include <memory>
#include <string>

#include "base/callback.h"
#include "cli/local/action.h"
#include "kube/objects.h"

namespace weft::local {

class Prober {
 public:
  using Start = Function<std::unique_ptr<RunningAction>(const kube::Action&, Duration timeout, ActionDone)>;
  // The verdict after thresholds; called when it changes. The error is of the last failure.
  using Changed = Function<void(bool good, const Error* why)>;

  // `good_at_first`: the verdict before any result (a liveness probe believes in life).
  Prober(io::Loop& loop, const kube::Probe& probe, bool good_at_first, Start start, Changed changed);

  bool good() const { return good_; }
  // Of the last result; empty when that was a success, or before there is one.
  const std::string& last_failure() const { return last_failure_; }

 private:
  void probe();
  void probed(const Status& status);

  const kube::Probe& probe_;
  bool good_;
  bool ever_good_ = false;
  std::string last_failure_;
  std::uint32_t in_a_row_ = 0;  // results that speak against the verdict
  Start start_;
  Changed changed_;
  std::unique_ptr<io::Timer> timer_;
  std::unique_ptr<RunningAction> running_;
};

}  // namespace weft::local
