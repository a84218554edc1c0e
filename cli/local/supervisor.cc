#include "cli/local/supervisor.h"

#include <signal.h>

#include <algorithm>
#include <cstdio>

#include "base/log.h"
#include "base/text.h"
#include "cli/local/control_plane.h"
#include "cli/local/pod_json.h"
#include "cli/local/system_setup.h"
#include "injector/eligibility.h"

namespace weft::local {

namespace {
constexpr unsigned job_threads = 4;
constexpr auto bundle_poll = std::chrono::milliseconds(20);
constexpr std::size_t bundle_bytes_max = 256 * 1024;
constexpr std::string_view bundle_name = "weft-trust-bundle";
}  // namespace

Supervisor::Supervisor(SupervisorOptions options, TokenIssuer issuer)
    : options_(std::move(options)),
      random_(options_.seed),
      issuer_(std::move(issuer)),
      cluster_(options_.folder, random_),
      reaper_(loop_),
      jobs_(loop_, job_threads),
      volumes_(options_.folder, issuer_, random_,
               [this](const std::string& name_space, const std::string& name) -> const kube::ConfigMap* {
                 if (name == bundle_name) return trust_bundle_ ? &*trust_bundle_ : nullptr;
                 return cluster_.config_map(name_space, name);
               }),
      world_{loop_, reaper_, jobs_, random_, options_.folder, options_.images, options_.programs, volumes_},
      bundle_timer_(loop_.make_timer([this] { find_trust_bundle(); })),
      stop_timer_(loop_.make_timer([this] { loop_.stop(); })) {}

Supervisor::~Supervisor() {
  reaper_.kill_all();
  if (signals_.joinable()) {
    ::pthread_kill(signals_.native_handle(), SIGTERM);
    signals_.join();
  }
}

Result<std::unique_ptr<Supervisor>> Supervisor::create(SupervisorOptions options) {
  WEFT_ASSIGN(TokenIssuer issuer, TokenIssuer::create());
  std::unique_ptr<Supervisor> supervisor(new Supervisor(std::move(options), std::move(issuer)));
  WEFT_TRY(supervisor->start());
  return supervisor;
}

Status Supervisor::start() {
  began_ = loop_.now();
  const StateFolder& folder = options_.folder;
  WEFT_ASSIGN(const std::string jwks, issuer_.jwks());
  WEFT_TRY(write_file_atomically(folder.issuer() + "/jwks.json", jwks, 0644, folder.scratch()));
  leave_out_ipv6_that_cannot_be_redirected(reaper_);
  const bool ipv6 = world_.ipv6 = has_ipv6();
  WEFT_TRY(add_service_route(reaper_));
  WEFT_ASSIGN(dns_, DnsServer::start(dns_addresses().list(ipv6)));
  publisher_ = std::make_unique<ServicePublisher>(jobs_, reaper_, *dns_, ipv6,
                                                  anchor_.guard([this] { rules_in_force(); }));
  WEFT_ASSIGN(control_,
              ControlServer::start(loop_, folder.socket(),
                                   anchor_.guard([this](const std::string& line, ControlServer::Respond r) {
                                     handle(line, std::move(r));
                                   })));
  if (options_.control_plane) {
    for (kube::Object& object : control_plane_objects(folder)) WEFT_TRY(apply(std::move(object)));
    find_trust_bundle();
  }
  for (const kube::Object& object : options_.objects) WEFT_TRY(check(object));
  for (kube::Object& object : options_.objects) WEFT_TRY(apply(std::move(object)));
  options_.objects.clear();
  schedule_reconcile();
  // The signals are blocked in every thread; this one waits for them.
  signals_ = std::thread([&loop = loop_] {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    int signal = 0;
    ::sigwait(&set, &signal);
    loop.stop();
  });
  return {};
}

int Supervisor::run() {
  loop_.run();
  return 0;
}

Status Supervisor::check(const kube::Object& object) const {
  return check_object(object, options_.images, options_.programs);
}

Result<std::string> Supervisor::apply(kube::Object object) {
  WEFT_TRY(check(object));
  schedule_reconcile();
  if (const auto* pod = std::get_if<kube::Pod>(&object)) return add_bare_pod(*pod);
  return cluster_.apply(std::move(object));
}

Result<std::string> Supervisor::add_bare_pod(const kube::Pod& pod) {
  if (find_pod(pod.meta.name_space, pod.meta.name)) return str_cat("pod/", pod.meta.name, " unchanged");
  PodOrigin origin;
  origin.name_space = pod.meta.name_space;
  WEFT_TRY(add_pod(std::move(origin), with_uid(pod.json, make_uuid(random_))));
  return str_cat("pod/", pod.meta.name, " created");
}

Status Supervisor::add_pod(PodOrigin origin, const std::string& json) {
  WEFT_ASSIGN(kube::Pod pod, kube::parse_pod(json, origin.name_space));
  cluster_.ensure_namespace(origin.name_space);
  origin.service_account_uid = cluster_.service_account_uid(origin.name_space, pod.spec.service_account_name);
  WEFT_ASSIGN(origin.index, pod_indexes_.take());
  pods_.push_back(std::make_unique<Pod>(world_, std::move(origin), std::move(pod), *this));
  return {};
}

void Supervisor::schedule_reconcile() {
  if (std::exchange(reconcile_planned_, true)) return;
  loop_.defer(anchor_.guard([this] {
    reconcile_planned_ = false;
    reconcile();
  }));
}

void Supervisor::pod_changed(Pod&) { schedule_reconcile(); }

void Supervisor::reconcile() {
  for (auto pod = pods_.begin(); pod != pods_.end();) {
    if ((*pod)->phase() != Pod::Phase::gone) {
      ++pod;
      continue;
    }
    const Pod& gone = **pod;
    cluster_.remove_pod(gone.origin().name_space, gone.object().meta.name);
    pod_indexes_.give_back(gone.origin().index);
    written_.erase(&gone);
    std::erase_if(waiting_for_gone_, [&gone](const auto& waiter) {
      if (waiter.first != gone.object().meta.uid) return false;
      waiter.second(R"({"ok":true})");
      return true;
    });
    loop_.delete_later(std::move(*pod));
    pod = pods_.erase(pod);
  }
  for (const auto& [key, deployment] : cluster_.deployments()) reconcile(key, deployment);
  publish();
  start_waiting_pods();
  report_progress();
}

// As many pods of the present template as asked for; those of an earlier one go as their successors get
// ready.
void Supervisor::reconcile(const ObjectKey& key, const kube::Deployment& deployment) {
  const std::string hash = template_hash(deployment.json);
  std::vector<Pod*> present, earlier;
  for (const auto& pod : pods_) {
    const bool mine = pod->origin().name_space == key.first && pod->origin().deployment == key.second;
    if (!mine || pod->phase() == Pod::Phase::terminating || pod->phase() == Pod::Phase::gone) continue;
    (pod->origin().template_hash == hash ? present : earlier).push_back(pod.get());
  }
  // The ones that serve are kept.
  std::stable_partition(present.begin(), present.end(), [](const Pod* pod) { return pod->ready(); });
  for (std::size_t i = deployment.replicas; i < present.size(); ++i) present[i]->terminate({});
  for (std::size_t i = present.size(); i < deployment.replicas; ++i) create_from(deployment, hash);
  const auto ready = static_cast<std::size_t>(
      std::count_if(present.begin(), present.end(), [](const Pod* pod) { return pod->ready(); }));
  const std::size_t needed = deployment.replicas > ready ? deployment.replicas - ready : 0;
  for (std::size_t i = needed; i < earlier.size(); ++i) earlier[i]->terminate({});
}

void Supervisor::create_from(const kube::Deployment& deployment, const std::string& hash) {
  constexpr std::string_view letters = "bcdfghjklmnpqrstvwxz2456789";
  PodName name{deployment.meta.name_space, {}, make_uuid(random_), deployment.meta.name, hash};
  name.name = str_cat(deployment.meta.name, "-", hash, "-");
  for (int i = 0; i < 5; ++i) name.name.push_back(letters[random_.below(letters.size())]);
  PodOrigin origin{name.name_space, name.deployment, hash, {}, 0};
  const Result<std::string> json = pod_from_template(deployment.json, name);
  const Status added = json ? add_pod(std::move(origin), *json) : fail(json.error());
  if (!added) log::error("pod not made", {{"deployment", name.deployment}, {"why", added.error().message}});
}

bool Supervisor::deployment_ready(std::string_view name) const {
  return std::any_of(pods_.begin(), pods_.end(), [name](const auto& pod) {
    return pod->ready() && pod->origin().name_space == control_plane_namespace &&
           pod->origin().deployment == name;
  });
}

std::optional<Injector> Supervisor::injector_for(const Pod& pod) const {
  const std::string& name_space = pod.origin().name_space;
  if (!injector::selected_for_injection(name_space, cluster_.namespace_labels(name_space),
                                        pod.object().meta.labels, control_plane_namespace)) {
    return std::nullopt;
  }
  const auto service = cluster_.services().find({std::string(control_plane_namespace), "weft-injector"});
  Injector injector;
  injector.server_name = str_cat("weft-injector.", control_plane_namespace, ".svc");
  injector.bundle_file = options_.folder.authority() + "/root-cert.pem";
  if (service != cluster_.services().end())
    injector.address = {service->second.cluster_ips.front(), injector_port};
  return injector;
}

// The control plane comes up in order: first the CA, then those who need its certificates, then the mesh.
// Later, each part copes with the absence of the others.
bool Supervisor::may_start(const Pod& pod) const {
  if (pod.origin().name_space == control_plane_namespace) {
    return pod.origin().deployment == ca_name || (trust_bundle_ && deployment_ready(ca_name));
  }
  if (!injector_for(pod)) return true;
  return was_ready_ ||
         (deployment_ready(injector_name) && deployment_ready(discovery_name) && publisher_->in_force());
}

void Supervisor::start_waiting_pods() {
  for (const auto& pod : pods_) {
    if (pod->was_started() || pod->phase() != Pod::Phase::pending || !may_start(*pod)) continue;
    pod->start(injector_for(*pod));
  }
}

// The CA writes its root into its folder; from there it becomes the ConfigMap that every namespace has.
void Supervisor::find_trust_bundle() {
  const Result<std::string> pem = read_file(options_.folder.authority() + "/root-cert.pem", bundle_bytes_max);
  if (!pem) return bundle_timer_->start(bundle_poll);
  Result<kube::Object> made =
      kube::parse_object(config_map_json(control_plane_namespace, bundle_name, "root-cert.pem", *pem));
  if (!made) return;
  trust_bundle_ = std::get<kube::ConfigMap>(*std::move(made));
  schedule_reconcile();
}

void Supervisor::publish() {
  EndpointWorld world{cluster_.services(), cluster_.slices(), {}};
  for (const auto& pod : pods_) {
    if (!pod->has_address()) continue;
    world.pods.push_back({&pod->object(), pod->addresses(), pod->ready()});
    std::string json = pod->status_json();
    std::string& written = written_[pod.get()];
    if (written == json) continue;
    cluster_.write_pod(pod->origin().name_space, pod->object().meta.name, json);
    written = std::move(json);
  }
  publisher_->publish(world);
}

void Supervisor::rules_in_force() {
  start_waiting_pods();
  report_progress();
  for (auto& respond : std::exchange(waiting_for_rules_, {})) gather_status(std::move(respond));
}

void Supervisor::report_progress() {
  if (!publisher_->in_force()) return;
  const bool all = std::all_of(pods_.begin(), pods_.end(), [](const auto& pod) {
    return pod->ready() || pod->phase() == Pod::Phase::completed || pod->phase() == Pod::Phase::terminating;
  });
  if (all && !was_ready_) {
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(loop_.now() - began_);
    std::printf("mesh %s is ready: %zu pods after %lld.%01lld s (Ctrl-C ends it)\n",
                options_.mesh_name.c_str(), pods_.size(), static_cast<long long>(took.count() / 1000),
                static_cast<long long>(took.count() % 1000 / 100));
    std::fflush(stdout);
  }
  was_ready_ = was_ready_ || all;
}

}  // namespace weft::local
