#include "tests/sidecar/sim_pod.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "base/text.h"
#include "tls/context.h"

namespace weft::test {
namespace {

constexpr auto day = std::chrono::hours(24);

std::shared_ptr<const sidecar::Credentials> credentials(const TestRoot& root, const std::string& identity,
                                                        WallTime not_after) {
  tls::CertificateTemplate leaf = root.leaf(identity);
  leaf.not_after = not_after;
  const auto svid = root.sign(leaf);
  return std::make_shared<const sidecar::Credentials>(sidecar::Credentials{
      tls::Context::client(svid, root.bundle()).value(),
      tls::Context::server(svid, root.bundle(), {sidecar::inbound_protocols(), true}).value()});
}

sidecar::Settings settings_of(const IpAddress& ip) {
  sidecar::Settings settings;
  settings.pod_ips = {ip};
  settings.mesh_cidrs = {Cidr::parse("198.18.0.0/16").value()};
  return settings;
}

}  // namespace

SimPod::SimPod(sim::SimNetwork& network, policy::EndpointRegistry& endpoints, const TestRoot& root,
               const std::string& ip, const std::string& service_account)
    : ip_(IpAddress::parse(ip).value()),
      identity_(str_cat("spiffe://cluster.local/ns/default/sa/", service_account)),
      loop_(network.add_loop({ip_})),
      random_(network.random().next()),
      settings_(settings_of(ip_)),
      endpoints_(endpoints),
      config_(std::make_shared<sidecar::Config>()),
      context_{loop_,
               random_,
               settings_,
               endpoints,
               telemetry,
               [this](const Address& address) {
                 asked.push_back(address);
                 if (on_ask) on_ask(address);
               },
               config_,
               credentials(root, identity_, root.now() + day)} {
  loop_.set_wall(root.now());
  upstreams_ = std::make_unique<sidecar::Upstreams>(context_);
  context_.upstreams = upstreams_.get();
  context_.shadows = &shadows_;
  sidecar::ConnectionOwner& owner = *this;
  const auto listen = [&](const Address& address, auto make) {
    listeners_.push_back(loop_
                             .listen(address, {},
                                     [this, &owner, make](std::unique_ptr<io::Stream> stream) {
                                       const Address original = stream->original_destination().value();
                                       auto connection = make(context_, owner, std::move(stream), original);
                                       sidecar::Connection* const key = connection.get();
                                       connections_.push_back(std::move(connection));
                                       // As if a configuration arrived in the very turn of the accept.
                                       key->config_changed();
                                     })
                             .value());
  };
  listen(
      Address{IpAddress::parse("127.0.0.1").value(), 15001},
      [](auto&&... arguments) -> std::unique_ptr<sidecar::Connection> {
        return std::make_unique<sidecar::OutboundConnection>(std::forward<decltype(arguments)>(arguments)...);
      });
  listen(Address{ip_, 15006}, [](auto&&... arguments) -> std::unique_ptr<sidecar::Connection> {
    return std::make_unique<sidecar::InboundConnection>(std::forward<decltype(arguments)>(arguments)...);
  });
}

SimPod::~SimPod() {
  connections_.clear();
  servers_.clear();
}

void SimPod::renew(const TestRoot& root, Duration lifetime) {
  const WallTime not_after = loop_.wall_now() + std::chrono::duration_cast<WallTime::duration>(lifetime);
  context_.credentials = credentials(root, identity_, not_after);
  upstreams_->credentials_changed();
}

void SimPod::publish(std::shared_ptr<const sidecar::Config> config) {
  context_.config = std::move(config);
  tell_config_changed();
}

// A copy: what is told may end its connection.
std::vector<sidecar::Connection*> SimPod::open_connections() const {
  std::vector<sidecar::Connection*> open;
  open.reserve(connections_.size());
  for (const auto& connection : connections_) open.push_back(connection.get());
  return open;
}

std::set<std::string> SimPod::used_addresses() {
  for (const auto& connection : connections_) connection->note_use();
  std::set<std::string> used;
  for (const Address& address : std::exchange(context_.used_addresses, {})) used.insert(address.to_string());
  return used;
}

void SimPod::tell_root_removed() {
  for (sidecar::Connection* connection : open_connections()) connection->root_removed();
}

void SimPod::drain() {
  context_.draining_inbound = true;
  for (sidecar::Connection* connection : open_connections()) connection->drain();
}

void SimPod::tell_config_changed() {
  for (sidecar::Connection* connection : open_connections()) connection->config_changed();
}

void SimPod::know(std::vector<policy::Service> services, std::vector<policy::AddressOwner> owners) {
  auto config = std::make_shared<sidecar::Config>(*config_);
  for (policy::Service& service : services) {
    for (const Address& address : service.addresses) owners.push_back(owned_by(service, address.to_string()));
    const std::string name = service.name;
    config->services[name] =
        sidecar::make_service_state(std::move(service), endpoints_, config->services[name].get());
  }
  for (policy::AddressOwner& owner : owners) {
    const Address address = owner.address;
    config->owners[address] = std::make_shared<const policy::AddressOwner>(std::move(owner));
  }
  config_ = config;
  publish(config);
}

void SimPod::forget(const Address& address) {
  auto config = std::make_shared<sidecar::Config>(*config_);
  config->owners.erase(address);
  config_ = config;
  publish(config);
}

void SimPod::set_inbound(policy::InboundPolicy policy) {
  auto config = std::make_shared<sidecar::Config>(*config_);
  config->inbound = std::make_shared<const sidecar::InboundState>(std::move(policy), "cluster.local");
  config_ = config;
  publish(config);
}

policy::InboundPolicy SimPod::inbound_policy(policy::MtlsMode mode) const {
  policy::InboundPolicy policy;
  policy.workload = "default/pod";
  policy.identity = identity_;
  policy::InboundPort any;
  any.mtls = mode;
  policy.ports = {any};
  return policy;
}

policy::Endpoint SimPod::endpoint(std::uint16_t port) const {
  policy::Endpoint endpoint;
  endpoint.address = Address{ip_, port};
  endpoint.identity = identity_;
  endpoint.workload = "default/pod";
  return endpoint;
}

void SimPod::serve(std::uint16_t port, http::SimpleServer::Handle handle) {
  auto server = std::make_unique<http::SimpleServer>(loop_, std::move(handle), 8u << 20);
  ASSERT_TRUE(server->listen(Address{ip_, port}));
  servers_[port] = std::move(server);
}

std::unique_ptr<io::Connecting> SimPod::connect(const Address& to,
                                                Function<void(Result<std::unique_ptr<io::Stream>>)> done) {
  io::ConnectOptions options;
  options.mark = application_mark;
  return loop_.connect(to, options, std::move(done));
}

std::unique_ptr<http::Fetch> SimPod::fetch(const Address& to, http::FetchRequest request,
                                           http::FetchDone done) {
  return http::fetch(
      loop_, [this, to](auto connected) { return connect(to, std::move(connected)); }, std::move(request),
      std::move(done));
}

void SimPod::connection_over(sidecar::Connection& connection) {
  const auto found = std::find_if(connections_.begin(), connections_.end(),
                                  [&](const auto& open) { return open.get() == &connection; });
  ASSERT_NE(found, connections_.end()) << "a connection ended twice";
  loop_.delete_later(std::move(*found));
  connections_.erase(found);
}

void redirect_like_iptables(sim::SimNetwork& network) {
  network.set_redirect([](const sim::SimLoop& from, const Address& to,
                          const io::ConnectOptions& options) -> std::optional<Address> {
    if (options.mark == application_mark) return Address{IpAddress::parse("127.0.0.1").value(), 15001};
    for (const IpAddress& own : from.addresses()) {
      if (own == to.ip) return std::nullopt;
    }
    if (to.ip.is_loopback()) return std::nullopt;
    return Address{to.ip, 15006};
  });
}

policy::AddressOwner owned_by(const policy::Service& service, const std::string& address) {
  policy::AddressOwner owner;
  owner.address = Address::parse(address).value();
  owner.kind = policy::AddressOwner::Kind::service;
  owner.service = service.name;
  return owner;
}

}  // namespace weft::test
