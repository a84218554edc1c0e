// The mesh itself, as PID 1 of the node: takes manifests, keeps as many pods as Deployments ask for, stands
// in for the controllers, and answers the verbs. Wires the other parts together; one loop, one thread.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "cli/local/cluster.h"
#include "cli/local/control.h"
#include "cli/local/dns_server.h"
#include "cli/local/jobs.h"
#include "cli/local/node.h"
#include "cli/local/pod.h"
#include "cli/local/service_publisher.h"
#include "cli/local/tokens.h"
#include "io/uv_loop.h"

namespace weft::local {

struct SupervisorOptions {
  std::string mesh_name;
  StateFolder folder;
  ImageMap images;
  std::vector<Program> programs;      // weft's own
  std::vector<kube::Object> objects;  // what `up` was given
  bool control_plane = true;          // false: plain pods only
  std::uint64_t seed = 0;
};

class Supervisor final : public PodHandler {
 public:
  static Result<std::unique_ptr<Supervisor>> create(SupervisorOptions options);
  ~Supervisor();

  // Runs until `down` or SIGTERM; then no process is left. Gives the exit code.
  int run();

 private:
  explicit Supervisor(SupervisorOptions options, TokenIssuer issuer);
  Status start();
  void pod_changed(Pod& pod) override;

  // supervisor.cc: from what is wanted to what is.
  Result<std::string> apply(kube::Object object);
  Status add_pod(PodOrigin origin, const std::string& json);
  Result<std::string> add_bare_pod(const kube::Pod& pod);
  Status check(const kube::Object& object) const;
  void schedule_reconcile();
  void reconcile();
  void reconcile(const ObjectKey& key, const kube::Deployment& deployment);
  void create_from(const kube::Deployment& deployment, const std::string& hash);
  void start_waiting_pods();
  bool may_start(const Pod& pod) const;
  std::optional<Injector> injector_for(const Pod& pod) const;
  bool deployment_ready(std::string_view name) const;
  void find_trust_bundle();
  void publish();
  void report_progress();

  // supervisor_control.cc: the verbs.
  void handle(const std::string& line, ControlServer::Respond respond);
  Result<Pod*> find_pod(const std::string& name_space, const std::string& name) const;
  void rules_in_force();
  void answer_status(const ControlRequest& request, ControlServer::Respond respond);
  void gather_status(ControlServer::Respond respond);
  void answer_container(const ControlRequest& request, ControlServer::Respond respond);
  void answer_annotate(const ControlRequest& request, ControlServer::Respond respond);
  Result<kube::Object> annotate(const ObjectRef& ref, const std::string& name_space,
                                const std::vector<AnnotationChange>& changes);
  void answer_scale(const ControlRequest& request, ControlServer::Respond respond);
  void answer_delete_pod(const ControlRequest& request, ControlServer::Respond respond);
  void answer_apply(const ControlRequest& request, ControlServer::Respond respond);
  void answer_admin(const ControlRequest& request, ControlServer::Respond respond);
  void answer_objects(const ControlRequest& request, ControlServer::Respond respond);
  void answer_down(const ControlRequest& request, ControlServer::Respond respond);

  SupervisorOptions options_;
  io::UvLoop loop_;
  SeededRandom random_;
  TokenIssuer issuer_;
  Cluster cluster_;
  Reaper reaper_;
  Jobs jobs_;
  std::optional<kube::ConfigMap> trust_bundle_;
  Volumes volumes_;
  PodWorld world_;
  IndexPool pod_indexes_{first_pod_index, address_index_max};
  std::unique_ptr<DnsServer> dns_;
  std::unique_ptr<ServicePublisher> publisher_;
  std::unique_ptr<ControlServer> control_;
  std::unique_ptr<io::Timer> bundle_timer_;
  std::unique_ptr<io::Timer> stop_timer_;
  std::list<std::unique_ptr<Pod>> pods_;
  std::map<const Pod*, std::string> written_;  // what discovery was last told of a pod
  std::vector<std::pair<std::string, ControlServer::Respond>> waiting_for_gone_;  // pod uid
  std::vector<ControlServer::Respond> waiting_for_rules_;                         // of `status`
  bool reconcile_planned_ = false;
  bool was_ready_ = false;
  MonotonicTime began_{};
  std::thread signals_;
  Anchor anchor_;
};

}  // namespace weft::local
