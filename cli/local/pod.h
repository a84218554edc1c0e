// One pod and its life, as a kubelet leads it: admission and network, volumes, init containers in order,
// native sidecars, containers, readiness, termination. Lives on the loop's thread; its owner deletes it
// (later, not in a callback) once phase() is `gone`.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cli/local/admission.h"
#include "cli/local/container_runner.h"
#include "cli/local/jobs.h"
#include "cli/local/pod_plan.h"
#include "cli/local/volumes.h"
#include "kube/objects.h"

namespace weft::local {

class Pod;

class PodHandler {
 public:
  // Something that others see has changed: phase, readiness.
  virtual void pod_changed(Pod& pod) = 0;

 protected:
  ~PodHandler() = default;
};

// What pods are made with; outlives them.
struct PodWorld {
  io::Loop& loop;
  Reaper& reaper;
  Jobs& jobs;
  Random& random;
  const StateFolder& folder;
  const ImageMap& images;
  const std::vector<Program>& programs;
  const Volumes& volumes;
  bool ipv6 = true;
};

struct PodOrigin {
  std::string name_space;
  std::string deployment;     // empty: a pod of its own
  std::string template_hash;  // of the Deployment's template that it was made from
  std::string service_account_uid;
  std::uint32_t index = 0;  // of its addresses
};

class Pod {
 public:
  enum class Phase : std::uint8_t { pending, initializing, running, completed, terminating, gone };

  // `json`: the pod as it would be sent to the API server, with name, namespace and uid.
  Pod(const PodWorld& world, PodOrigin origin, kube::Pod pod, PodHandler& handler);
  Pod(const Pod&) = delete;
  Pod& operator=(const Pod&) = delete;
  ~Pod();

  // `injector`: ask it first; nothing: take the pod as it is.
  void start(const std::optional<Injector>& injector);
  bool was_started() const { return started_; }
  // Within `grace` from now; nothing: the pod's own grace period.
  void terminate(std::optional<std::chrono::seconds> grace);
  Status annotate(const std::vector<AnnotationChange>& changes);

  const PodOrigin& origin() const { return origin_; }
  const kube::Pod& object() const { return pod_; }
  // IPv4 first.
  std::vector<IpAddress> addresses() const { return pod_addresses(origin_.index).list(world_.ipv6); }
  Phase phase() const { return phase_; }
  bool ready() const { return ready_; }
  bool has_address() const { return static_cast<bool>(network_); }
  UniqueFd duplicate_network() const;  // REQUIRES: has_address()
  bool injected() const { return kube::has_sidecar(pod_); }
  unsigned restarts() const;
  // Why it is not ready, for people; empty when it is.
  std::string waiting_for() const;
  // The container of that name, or the first one that is no sidecar for an empty name; null: none.
  const ContainerRunner* find(std::string_view container) const;
  std::vector<std::string> container_names() const;
  // The pod as the API server would show it, for discovery.
  std::string status_json() const;

 private:
  void admit();
  void admitted(Result<std::string> json);
  void make_network();
  void proceed();
  Status make_runners();
  std::unique_ptr<ContainerRunner> make_runner(const kube::Container& container, bool init,
                                               ContainerSpec spec);
  void container_changed();
  void advance_init();
  void advance_running();
  void advance_termination();
  void schedule_token_refresh();
  void set_phase(Phase phase);
  void update_ready();
  void retry(std::string why);

  const PodWorld& world_;
  PodOrigin origin_;
  kube::Pod pod_;
  PodHandler& handler_;
  std::optional<Injector> injector_;
  Phase phase_ = Phase::pending;
  bool started_ = false;
  bool admitted_ = false;
  bool ready_ = false;
  bool changing_ = false;
  std::string problem_;
  Duration next_retry_;
  UniqueFd network_;
  std::vector<std::unique_ptr<ContainerRunner>> init_runners_;
  std::vector<std::unique_ptr<ContainerRunner>> runners_;
  std::size_t init_at_ = 0;  // the init container whose turn it is
  std::unique_ptr<AdmissionCall> admission_;
  std::unique_ptr<io::Timer> retry_timer_;
  std::unique_ptr<io::Timer> token_timer_;
  std::unique_ptr<io::Timer> grace_timer_;
  Anchor anchor_;
};

std::string_view phase_name(Pod::Phase phase);

}  // namespace weft::local
