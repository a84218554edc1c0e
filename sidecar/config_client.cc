#include "sidecar/config_client.h"

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "kube/config_codec.h"

namespace weft::sidecar {
namespace {

constexpr std::string_view stream_method = "/weft.v1.Discovery/Stream";

http::GrpcChannelOptions channel_options(const Settings& settings) {
  http::GrpcChannelOptions options;
  options.authority = str_cat(settings.discovery.host, ":", settings.discovery.port);
  options.target = str_cat("discovery ", options.authority);
  return options;
}

}  // namespace

ConfigClient::ConfigClient(io::Loop& loop, Random& random, const Settings& settings, ConfigStore& store,
                           http::GrpcChannel::Connect connect)
    : loop_(loop),
      random_(random),
      settings_(settings),
      store_(store),
      channel_(loop, random, channel_options(settings), std::move(connect)),
      backoff_(std::chrono::milliseconds(100), std::chrono::seconds(5)) {
  reopen_timer_ = loop_.make_timer(anchor_.guard([this] { open(); }));
}

ConfigClient::~ConfigClient() = default;

void ConfigClient::start() { open(); }

void ConfigClient::open() {
  opened_ = got_update_ = false;
  stream_ = channel_.open(stream_method, codec::Headers(), *this);
  kube::Hello hello;
  hello.pod_uid = settings_.pod_uid;
  hello.pod_name = settings_.pod_name;
  hello.name_space = settings_.pod_namespace;
  hello.address = settings_.pod_ips.front().to_string();
  hello.version = WEFT_VERSION;
  hello.held = store_.held();
  stream_->send(kube::encode(kube::SidecarMessage(std::move(hello))));
  // What was asked on an earlier stream and never answered is asked again. And of what is held, from a cache
  // or because it was given back to nobody, the use begins to be watched.
  asking_ = store_.unanswered();
  for (const auto& [address, owner] : store_.current()->owners) {
    if (!use_.contains(address)) use_.used(address, loop_.now(), random_);
  }
  flush();
}

void ConfigClient::request(const Address& address) {
  if (store_.wants(address)) return;
  if (store_.full()) {
    if (const auto oldest = use_.take_oldest()) release(*oldest);
  }
  if (!store_.ask(address)) return;
  use_.used(address, loop_.now(), random_);
  asking_.push_back(address.to_string());
  flush_later();
}

void ConfigClient::used(const std::vector<Address>& addresses) {
  for (const Address& address : addresses) {
    if (store_.wants(address)) use_.used(address, loop_.now(), random_);
  }
}

void ConfigClient::release_unused() {
  for (const Address& address : use_.take_unused(loop_.now())) release(address);
}

// What is known stays until discovery has taken it away: otherwise it would believe us to hold it still, and
// an address that is asked for again at once would have no answer.
void ConfigClient::release(const Address& address) {
  store_.withdraw(address);
  std::erase(asking_, address.to_string());
  releasing_.push_back(address.to_string());
  flush_later();
}

void ConfigClient::flush_later() {
  if (flush_scheduled_) return;
  flush_scheduled_ = true;
  loop_.defer(anchor_.guard([this] { flush(); }));
}

void ConfigClient::flush() {
  flush_scheduled_ = false;
  if (!stream_ || (asking_.empty() && releasing_.empty())) return;
  kube::Subscribe subscribe;
  subscribe.addresses.swap(asking_);
  subscribe.unsubscribe.swap(releasing_);
  stream_->send(kube::encode(kube::SidecarMessage(std::move(subscribe))));
}

void ConfigClient::identity_changed() {
  channel_.renew_connection();
  if (stream_ && opened_) {
    // Discovery checked the old certificate; a new stream shows the new one, and `held` keeps it to the
    // differences.
    stream_.reset();
    open();
  } else if (!opened_) {
    // The last attempt may have failed for want of a certificate: no need to sit out its back-off.
    stream_.reset();
    reopen_timer_->stop();
    open();
  }
}

void ConfigClient::grpc_opened() { opened_ = true; }

void ConfigClient::grpc_message(std::string_view bytes) {
  auto update = kube::decode_update(bytes);
  if (!update) {
    // Its nonce is unknown, so it cannot be refused by name; a new stream starts from what is held.
    ++updates_refused_;
    log::error("discovery sent an update that cannot be read", {{"error", update.error().message}});
    opened_ = false;
    stream_.reset();
    reopen_timer_->start(backoff_.next(random_));
    return;
  }
  if (!got_update_) {
    got_update_ = true;
    backoff_.reset();
    log::info("configuration stream is up", {{"resources", std::to_string(update->resources.size())}});
  }
  const std::uint64_t nonce = update->nonce;
  const Status applied = store_.apply(*std::move(update));
  if (!applied) {
    ++updates_refused_;
    log::error("refused a configuration update, the last good one stays",
               {{"error", applied.error().message}});
  }
  acknowledge(nonce, applied ? std::string() : applied.error().message);
}

void ConfigClient::acknowledge(std::uint64_t nonce, std::string refused) {
  stream_->send(kube::encode(kube::SidecarMessage(kube::Ack{nonce, std::move(refused)})));
}

void ConfigClient::grpc_drained() {}

void ConfigClient::grpc_closed(const Result<codec::GrpcStatus>& how) {
  const std::string why = how ? how->message : how.error().message;
  const Duration wait = backoff_.next(random_);
  log::warning("configuration stream ended; known configuration serves", {{"why", why}});
  opened_ = false;
  stream_.reset();
  reopen_timer_->start(wait);
}

}  // namespace weft::sidecar
