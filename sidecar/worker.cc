#include "sidecar/worker.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/text.h"
#include "sidecar/inbound.h"
#include "sidecar/outbound.h"

namespace weft::sidecar {
namespace {

bool lost_root(const tls::TrustBundle& before, const tls::TrustBundle& now) {
  const auto& kept = now.roots();
  return !std::all_of(before.roots().begin(), before.roots().end(), [&](const tls::Certificate& root) {
    return std::find(kept.begin(), kept.end(), root) != kept.end();
  });
}

}  // namespace

Worker::Worker(const Settings& settings, policy::EndpointRegistry& endpoints, Telemetry& telemetry,
               std::uint64_t seed, Function<void(const Address&)> ask_owner)
    : random_(seed), context_{loop_,
                              random_,
                              settings,
                              endpoints,
                              telemetry,
                              std::move(ask_owner),
                              std::make_shared<const Config>(),
                              nullptr} {
  upstreams_ = std::make_unique<Upstreams>(context_);
  context_.upstreams = upstreams_.get();
  shadows_ = std::make_unique<Shadows>(context_);
  context_.shadows = shadows_.get();
}

Worker::~Worker() {
  loop_.stop();
  if (thread_.joinable()) thread_.join();
  context_.telemetry.stop();
  connections_.clear();
}

Status Worker::start() {
  auto listeners = listen("127.0.0.1", "::1", context_.settings.ports.outbound, &Worker::accepted_outbound);
  if (!listeners) return fail(listeners.error());
  outbound_listeners_ = *std::move(listeners);
  loop_.post(anchor_.guard([this] { context_.telemetry.start(loop_); }));
  thread_ = std::thread([this] { loop_.run(); });  // joined by the destructor, so `this` outlives it
  return {};
}

Result<std::vector<std::unique_ptr<io::Listener>>> Worker::listen(
    const char* v4, const char* v6, std::uint16_t port,
    void (Worker::*accepted)(std::unique_ptr<io::Stream>)) {
  std::vector<std::unique_ptr<io::Listener>> listeners;
  Error last;
  for (const char* ip : {v4, v6}) {
    const Address address{*IpAddress::parse(ip), port};
    io::ListenOptions options;
    options.reuse_port = true;
    options.only_v6 = address.ip.is_v6();
    auto listener =
        loop_.listen(address, options, anchor_.guard([this, accepted](std::unique_ptr<io::Stream> stream) {
          (this->*accepted)(std::move(stream));
        }));
    if (listener)
      listeners.push_back(*std::move(listener));
    else
      last = listener.error();
  }
  // A machine without IPv6, or without IPv4, is a fact; one with neither is an error.
  if (listeners.empty()) return fail(last);
  return listeners;
}

void Worker::set_config(std::shared_ptr<const Config> config) {
  loop_.post(anchor_.guard([this, config = std::move(config)]() mutable {
    context_.config = std::move(config);
    config_changed();
  }));
}

void Worker::set_credentials(std::shared_ptr<const Credentials> credentials) {
  loop_.post(anchor_.guard([this, credentials = std::move(credentials)]() mutable {
    const auto before = std::exchange(context_.credentials, std::move(credentials));
    upstreams_->credentials_changed();
    if (!before || !lost_root(*before->client->bundle(), *context_.credentials->client->bundle())) return;
    upstreams_->root_removed();
    for (Connection* connection : open_connections()) connection->root_removed();
  }));
}

void Worker::open_inbound(Function<void(Status)> done) {
  loop_.post(anchor_.guard([this, done = std::move(done)] {
    auto listeners = listen("0.0.0.0", "::", context_.settings.ports.inbound, &Worker::accepted_inbound);
    if (!listeners) return done(fail(listeners.error()));
    inbound_listeners_ = *std::move(listeners);
    done({});
  }));
}

void Worker::drain_inbound() {
  loop_.post(anchor_.guard([this] {
    context_.draining_inbound = true;
    for (Connection* connection : open_connections()) connection->drain();
  }));
}

void Worker::take_used_addresses(Function<void(std::vector<Address>)> taken) {
  loop_.post(anchor_.guard([this, taken = std::move(taken)] {
    for (const auto& [key, connection] : connections_) connection->note_use();
    const auto used = std::exchange(context_.used_addresses, {});
    taken({used.begin(), used.end()});
  }));
}

// A connection made to the proxy's own port was not redirected: carrying it "on" would be a loop.
bool Worker::loops_back(const Address& original, std::uint16_t own_port) const {
  return original.port == own_port && (original.ip.is_loopback() || context_.is_own_pod(original.ip));
}

void Worker::accepted_outbound(std::unique_ptr<io::Stream> stream) {
  const auto original = stream->original_destination();
  if (!original || loops_back(*original, context_.settings.ports.outbound)) {
    context_.telemetry.connection_refused(Direction::outbound, "not-redirected");
    return log::info("closed a connection that was not redirected", {{"port", "15001"}});
  }
  add(std::make_unique<OutboundConnection>(context_, owner(), std::move(stream), *original));
}

void Worker::accepted_inbound(std::unique_ptr<io::Stream> stream) {
  const auto original = stream->original_destination();
  if (!original || loops_back(*original, context_.settings.ports.inbound)) {
    context_.telemetry.connection_refused(Direction::inbound, "not-redirected");
    return log::info("closed a connection that was not redirected",
                     {{"port", "15006"}, {"caller", stream->peer_address().to_string()}});
  }
  add(std::make_unique<InboundConnection>(context_, owner(), std::move(stream), *original));
}

void Worker::add(std::unique_ptr<Connection> connection) {
  Connection* const key = connection.get();
  connections_.emplace(key, std::move(connection));
  connection_count_.store(connections_.size(), std::memory_order_relaxed);
}

void Worker::connection_over(Connection& connection) {
  auto node = connections_.extract(&connection);
  if (node) loop_.delete_later(std::move(node.mapped()));
  connection_count_.store(connections_.size(), std::memory_order_relaxed);
}

// A copy: what is told may end its connection, which then leaves the map but lives to the end of the turn.
std::vector<Connection*> Worker::open_connections() const {
  std::vector<Connection*> open;
  open.reserve(connections_.size());
  for (const auto& [key, connection] : connections_) open.push_back(key);
  return open;
}

void Worker::config_changed() {
  for (Connection* connection : open_connections()) connection->config_changed();
}

}  // namespace weft::sidecar
