#include "cli/local/pod.h"

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "cli/local/pod_json.h"
#include "cli/local/system_setup.h"

namespace weft::local {

namespace {
constexpr Duration first_retry = std::chrono::milliseconds(50);
constexpr Duration longest_retry = std::chrono::seconds(2);
}  // namespace

std::string_view phase_name(Pod::Phase phase) {
  switch (phase) {
    case Pod::Phase::pending:
      return "Pending";
    case Pod::Phase::initializing:
      return "Initializing";
    case Pod::Phase::running:
      return "Running";
    case Pod::Phase::completed:
      return "Completed";
    case Pod::Phase::terminating:
      return "Terminating";
    case Pod::Phase::gone:
      return "Gone";
  }
  return "";
}

Pod::Pod(const PodWorld& world, PodOrigin origin, kube::Pod pod, PodHandler& handler)
    : world_(world),
      origin_(std::move(origin)),
      pod_(std::move(pod)),
      handler_(handler),
      next_retry_(first_retry),
      retry_timer_(world.loop.make_timer([this] { admitted_ ? proceed() : admit(); })),
      token_timer_(world.loop.make_timer([this] { schedule_token_refresh(); })),
      grace_timer_(world.loop.make_timer([this] {
        for (auto* list : {&init_runners_, &runners_}) {
          for (const auto& runner : *list) runner->kill();
        }
      })) {}

Pod::~Pod() { world_.volumes.remove(pod_); }

void Pod::start(const std::optional<Injector>& injector) {
  started_ = true;
  injector_ = injector;
  make_network();
  admit();
}

void Pod::retry(std::string why) {
  if (problem_ != why)
    log::warning("pod waits", {{"pod", str_cat(origin_.name_space, "/", pod_.meta.name)}, {"why", why}});
  problem_ = std::move(why);
  retry_timer_->start(next_retry_);
  next_retry_ = std::min(next_retry_ * 2, longest_retry);
  handler_.pod_changed(*this);
}

void Pod::admit() {
  if (!injector_) {
    admitted_ = true;
    return proceed();
  }
  auto call =
      call_injector(world_.loop, *injector_, {pod_.json, origin_.name_space, make_uuid(world_.random)},
                    [this](Result<std::string> json) { admitted(std::move(json)); });
  if (!call) return retry(call.error().message);
  admission_ = *std::move(call);
}

void Pod::admitted(Result<std::string> json) {
  world_.loop.delete_later(std::move(admission_));
  if (phase_ != Phase::pending) return;
  if (!json) return retry(json.error().message);
  Result<kube::Pod> patched = kube::parse_pod(*json, origin_.name_space);
  if (!patched) return retry(patched.error().in("the injector's patch").message);
  pod_ = *std::move(patched);
  admitted_ = true;
  next_retry_ = first_retry;
  proceed();
}

void Pod::make_network() {
  auto make = [&reaper = world_.reaper, index = origin_.index, ipv6 = world_.ipv6] {
    return make_pod_network(reaper, index, ipv6);
  };
  world_.jobs.run(std::move(make), anchor_.guard([this](Result<UniqueFd> network) {
    if (!network) {
      problem_ = network.error().message;
      log::error("pod has no network", {{"pod", pod_.meta.name}, {"why", problem_}});
      return handler_.pod_changed(*this);
    }
    network_ = *std::move(network);
    proceed();
  }));
}

// Goes on when both admission and network are there.
void Pod::proceed() {
  if (phase_ != Phase::pending || !admitted_ || !network_) return;
  Status made = world_.volumes.make(pod_, addresses(), origin_.service_account_uid, world_.loop.wall_now());
  if (made) made = make_runners();
  if (!made) return retry(made.error().message);
  problem_.clear();
  schedule_token_refresh();
  set_phase(Phase::initializing);
  advance_init();
}

void Pod::schedule_token_refresh() {
  const auto next = world_.volumes.refresh_tokens(pod_, origin_.service_account_uid, world_.loop.wall_now());
  if (!next) {
    log::error("token not refreshed", {{"pod", pod_.meta.name}, {"why", next.error().message}});
    return token_timer_->start(std::chrono::minutes(1));
  }
  if (*next) token_timer_->start(**next);
}

std::unique_ptr<ContainerRunner> Pod::make_runner(const kube::Container& container, bool init,
                                                  ContainerSpec spec) {
  Restart restart = Restart::always;
  if (!container.is_native_sidecar() && (init || pod_.spec.restart_policy != "Always")) {
    restart = pod_.spec.restart_policy == "Never" ? Restart::never : Restart::on_failure;
  }
  std::string log = str_cat(world_.folder.logs(), "/", origin_.name_space, "_", pod_.meta.name, "_",
                            container.name, ".log");
  const ContainerPlace place{world_.loop, world_.reaper, pod_, addresses().front(), network_.get()};
  return std::make_unique<ContainerRunner>(place, container, std::move(spec), std::move(log), restart,
                                           [this] { container_changed(); });
}

Status Pod::make_runners() {
  init_runners_.clear();
  runners_.clear();
  const std::string folder = world_.volumes.folder_of(pod_);
  const PlanContext context{world_.images, world_.programs,          addresses(),
                            folder,        folder + "/.resolv.conf", folder + "/.hosts"};
  for (const bool init : {true, false}) {
    for (const kube::Container& container : init ? pod_.spec.init_containers : pod_.spec.containers) {
      WEFT_ASSIGN(ContainerSpec spec, plan_container(pod_, container, context));
      (init ? init_runners_ : runners_).push_back(make_runner(container, init, std::move(spec)));
    }
  }
  return {};
}

// Runs inside a runner's callback; the pod's own callback may come back here, so one round at a time.
void Pod::container_changed() {
  if (changing_) return;
  changing_ = true;
  world_.loop.defer(anchor_.guard([this] {
    changing_ = false;
    if (phase_ == Phase::initializing) advance_init();
    if (phase_ == Phase::running) advance_running();
    if (phase_ == Phase::terminating || phase_ == Phase::completed) advance_termination();
    update_ready();
  }));
}

void Pod::advance_init() {
  for (; init_at_ < init_runners_.size(); ++init_at_) {
    ContainerRunner& runner = *init_runners_[init_at_];
    if (runner.state() == ContainerRunner::State::waiting) runner.start();
    const bool passed = runner.container().is_native_sidecar()
                            ? runner.started()
                            : runner.state() == ContainerRunner::State::ended && runner.exit_code() == 0;
    if (!passed) {
      problem_.clear();  // of a native sidecar its probes say more
      if (!runner.container().is_native_sidecar()) {
        problem_ = str_cat("init container ", runner.container().name,
                           runner.last_problem().empty() ? "" : ": ", runner.last_problem());
      }
      if (runner.state() == ContainerRunner::State::ended) set_phase(Phase::completed);
      return;
    }
  }
  problem_.clear();
  set_phase(Phase::running);
  for (const auto& runner : runners_) runner->start();
}

void Pod::advance_running() {
  const bool over = std::all_of(runners_.begin(), runners_.end(), [](const auto& runner) {
    return runner->state() == ContainerRunner::State::ended;
  });
  if (over) set_phase(Phase::completed);
}

void Pod::terminate(std::optional<std::chrono::seconds> grace) {
  const std::chrono::seconds period = grace.value_or(pod_.spec.termination_grace_period);
  grace_timer_->start(period);
  if (phase_ == Phase::terminating || phase_ == Phase::gone) return;
  pod_.meta.deletion_timestamp = format_time(world_.loop.wall_now() + period);
  retry_timer_->stop();
  admission_.reset();
  const bool completed = phase_ == Phase::completed;
  phase_ = Phase::terminating;
  // Every hook runs now, a native sidecar's drain as well; who is stopped when is advance_termination's.
  for (auto* list : {&init_runners_, &runners_}) {
    for (const auto& runner : *list) {
      if (!completed) runner->prepare_stop();
    }
  }
  update_ready();
  handler_.pod_changed(*this);
  container_changed();
}

// The application first; its sidecars once it is gone, the last started first.
void Pod::advance_termination() {
  bool left = false;
  for (const auto& runner : runners_) {
    runner->stop();
    left = left || runner->state() != ContainerRunner::State::ended;
  }
  for (auto runner = init_runners_.rbegin(); runner != init_runners_.rend() && !left; ++runner) {
    (*runner)->stop();
    left = (*runner)->state() != ContainerRunner::State::ended;
  }
  if (left || phase_ != Phase::terminating) return;
  grace_timer_->stop();
  network_.reset();
  set_phase(Phase::gone);
}

void Pod::set_phase(Phase phase) {
  if (phase_ == phase) return;
  phase_ = phase;
  handler_.pod_changed(*this);
}

void Pod::update_ready() {
  bool ready = phase_ == Phase::running;
  for (const auto& runner : runners_) ready = ready && runner->ready();
  for (const auto& runner : init_runners_) {
    ready = ready && (!runner->container().is_native_sidecar() || runner->ready());
  }
  if (ready == ready_) return;
  ready_ = ready;
  handler_.pod_changed(*this);
}

}  // namespace weft::local
