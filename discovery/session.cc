#include "discovery/session.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/text.h"

namespace weft::discovery {
namespace {

bool has_address(const kube::Pod& pod, const IpAddress& ip) {
  return std::find(pod.ips.begin(), pod.ips.end(), ip) != pod.ips.end();
}

HelloCheck refused(std::string reason) { return {HelloVerdict::refused, std::move(reason)}; }
HelloCheck not_yet(std::string reason) { return {HelloVerdict::not_yet, std::move(reason)}; }

}  // namespace

HelloCheck check_hello(const Index& index, const std::string& trust_domain, const kube::Hello& hello,
                       const http::GrpcPeer& peer, bool check_peer_address) {
  if (!peer.identity) return refused("no client certificate");
  const std::string has = peer.identity->to_string();
  const std::string pod_name = printable(str_cat(hello.name_space, "/", hello.pod_name));
  if (peer.identity->trust_domain != trust_domain)
    return refused(str_cat(has, " is not of trust domain ", trust_domain));
  if (peer.identity->name_space != hello.name_space)
    return refused(str_cat(has, " asks for pod ", pod_name, " of another namespace"));
  const kube::Pod* pod = index.pod(hello.name_space, hello.pod_name);
  if (pod == nullptr) return not_yet(str_cat("pod ", pod_name, " is not known yet"));
  if (pod->spec.service_account_name != peer.identity->service_account)
    return refused(str_cat(has, " asks for pod ", pod_name, ", whose service account is ",
                           pod->spec.service_account_name));
  if (!pod->meta.uid.empty() && pod->meta.uid != hello.pod_uid)
    return not_yet(str_cat("pod ", pod_name, " is known with another uid"));
  if (pod->ips.empty()) return not_yet(str_cat("pod ", pod_name, " has no address yet"));
  const auto address = IpAddress::parse(hello.address);
  if (!address) return refused(str_cat("pod ", pod_name, ": its address: ", address.error().message));
  if (!has_address(*pod, *address))
    return refused(str_cat("pod ", pod_name, " does not have the address ", address->to_string()));
  if (check_peer_address && !has_address(*pod, peer.address.ip))
    return refused(
        str_cat("pod ", pod_name, " is asked for from ", peer.address.to_string(),
                ", which is not its address (if the network changes addresses: --no-peer-address-check)"));
  return {HelloVerdict::welcome, {}};
}

Session::Session(ConfigServer& server, const http::GrpcRequest& request, http::GrpcServerStream& stream)
    : server_(server), stream_(stream), peer_(request.peer), holdings_(server.resources_) {
  server_.sessions_.insert(this);
  ++server_.counts_.streams_opened;
}

Session::~Session() { server_.sessions_.erase(this); }

std::string Session::who() const {
  return str_cat(peer_->identity ? peer_->identity->to_string() : std::string("nobody"), " at ",
                 peer_->address.to_string());
}

void Session::refuse(codec::GrpcCode code, const std::string& reason) {
  if (finished_) return;
  finished_ = true;
  log::warning("configuration stream refused", {{"peer", who()}, {"reason", reason}});
  stream_.finish({code, reason});
}

void Session::message(std::string_view bytes) {
  if (finished_) return;
  auto decoded = kube::decode_sidecar_message(bytes);
  if (!decoded) return refuse(codec::GrpcCode::invalid_argument, decoded.error().message);
  if (auto* hello = std::get_if<kube::Hello>(&*decoded)) {
    if (greeted_) return refuse(codec::GrpcCode::invalid_argument, "a second Hello");
    if (const Status held = holdings_.hold(hello->held); !held)
      return refuse(codec::GrpcCode::resource_exhausted, held.error().message);
    greeted_ = true;
    hello_ = std::move(*hello);
    hello_.held.clear();
    greet();
  } else if (!greeted_) {
    refuse(codec::GrpcCode::invalid_argument, "the first message must be a Hello");
  } else if (const auto* subscribe = std::get_if<kube::Subscribe>(&*decoded)) {
    const Status changed = holdings_.change(*subscribe);
    if (!changed) return refuse(codec::GrpcCode::invalid_argument, changed.error().message);
    flush_later();
  } else {
    take_ack(std::get<kube::Ack>(*decoded));
  }
}

void Session::greet() {
  if (!greeted_ || welcome_ || finished_ || !server_.synced_) return;
  const HelloCheck check = check_hello(server_.state_.index(), server_.options_.mesh.trust_domain, hello_,
                                       *peer_, server_.options_.check_peer_address);
  if (check.verdict == HelloVerdict::refused) {
    ++server_.counts_.hellos_refused;
    return refuse(codec::GrpcCode::permission_denied, check.reason);
  }
  if (check.verdict == HelloVerdict::not_yet) {
    log::info("a sidecar waits", {{"peer", who()}, {"reason", check.reason}});
    return;
  }
  welcome_ = true;
  holdings_.set_pod(hello_.name_space, hello_.pod_name);
  log::info("sidecar connected", {{"pod", str_cat(hello_.name_space, "/", hello_.pod_name)},
                                  {"peer", who()},
                                  {"version", hello_.version}});
  flush_later();
}

void Session::state_changed(const std::set<std::string>& changed) {
  if (!welcome_) return greet();
  if (holdings_.affected(changed)) flush();
}

// Messages that came together are answered together.
void Session::flush_later() {
  if (flush_planned_) return;
  flush_planned_ = true;
  server_.loop_.defer(anchor_.guard([this] {
    flush_planned_ = false;
    flush();
  }));
}

void Session::flush() {
  while (welcome_ && !finished_ && stream_.writable()) {
    const Difference difference = holdings_.difference(server_.options_.update_bytes_max);
    if (difference.empty()) return;
    ++server_.counts_.updates;
    server_.counts_.resources += difference.resources.size();
    stream_.send(kube::encode_update(++nonce_, difference.resources, difference.removed));
  }
}

void Session::take_ack(const kube::Ack& ack) {
  if (ack.nonce > nonce_) return refuse(codec::GrpcCode::invalid_argument, "an Ack of what was never sent");
  if (ack.refused.empty()) {
    ++server_.counts_.acks;
    return;
  }
  ++server_.counts_.updates_refused;
  log::warning("a sidecar refused an update", {{"pod", str_cat(hello_.name_space, "/", hello_.pod_name)},
                                               {"nonce", str_cat(ack.nonce)},
                                               {"reason", ack.refused}});
}

void Session::half_closed() {
  if (finished_) return;
  finished_ = true;
  stream_.finish({});
}

void Session::drained() { flush(); }

void Session::closed(const codec::GrpcStatus& status) {
  finished_ = true;
  if (welcome_)
    log::info("sidecar disconnected",
              {{"pod", str_cat(hello_.name_space, "/", hello_.pod_name)}, {"status", status.to_string()}});
}

}  // namespace weft::discovery
