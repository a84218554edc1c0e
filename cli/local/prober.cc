#include "cli/local/prober.h"

namespace weft::local {

namespace {
constexpr auto eager_period = std::chrono::milliseconds(30);
}

Prober::Prober(io::Loop& loop, const kube::Probe& probe, bool good_at_first, Start start, Changed changed)
    : probe_(probe),
      good_(good_at_first),
      start_(std::move(start)),
      changed_(std::move(changed)),
      timer_(loop.make_timer([this] { this->probe(); })) {
  timer_->start(probe.initial_delay);
}

void Prober::probe() {
  running_ = start_(probe_.action, probe_.timeout, [this](const Status& status) { probed(status); });
}

void Prober::probed(const Status& status) {
  running_.reset();
  last_failure_ = status ? "" : status.error().message;
  ever_good_ = ever_good_ || status.has_value();
  // Before its first success a container is only starting; a liveness verdict must still wait its full time.
  const bool eager = !ever_good_ && !good_;
  timer_->start(eager ? Duration(eager_period) : Duration(probe_.period));
  if (status.has_value() == good_) {
    in_a_row_ = 0;
    return;
  }
  if (++in_a_row_ < (good_ ? probe_.failure_threshold : probe_.success_threshold)) return;
  in_a_row_ = 0;
  good_ = !good_;
  changed_(good_, status ? nullptr : &status.error());
}

}  // namespace weft::local
