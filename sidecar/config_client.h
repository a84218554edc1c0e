// The sidecar's end of the discovery stream: says what pod this is and what it holds, asks for addresses,
// hands every Update to the ConfigStore and acknowledges or refuses it. Reconnects by itself, for ever; what
// is known serves meanwhile. Lives on the control thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/backoff.h"
#include "base/callback.h"
#include "base/random.h"
#include "http/grpc_client.h"
#include "io/loop.h"
#include "sidecar/address_use.h"
#include "sidecar/config_store.h"
#include "sidecar/settings.h"

namespace weft::sidecar {

class ConfigClient final : http::GrpcClientStreamHandler {
 public:
  ConfigClient(io::Loop& loop, Random& random, const Settings& settings, ConfigStore& store,
               http::GrpcChannel::Connect connect);
  ~ConfigClient();

  void start();
  // Asks who owns `address`, unless that is known or asked already. Where there is no room left, the address
  // that was used longest ago is given back for it.
  void request(const Address& address);
  // Connections go to these addresses now.
  void used(const std::vector<Address>& addresses);
  // Gives back what no connection has gone to for limits::address_unused_max. Discovery then takes it away,
  // and so it leaves the store and its cache.
  void release_unused();
  // The own certificate was renewed: go on over a new connection made with it.
  void identity_changed();

  bool connected() const { return opened_; }
  std::uint64_t updates_refused() const { return updates_refused_; }

 private:
  void grpc_opened() override;
  void grpc_message(std::string_view bytes) override;
  void grpc_drained() override;
  void grpc_closed(const Result<codec::GrpcStatus>& how) override;

  void open();
  void release(const Address& address);
  void flush_later();
  void flush();
  void acknowledge(std::uint64_t nonce, std::string refused);

  io::Loop& loop_;
  Random& random_;
  const Settings& settings_;
  ConfigStore& store_;
  AddressUse use_;
  http::GrpcChannel channel_;
  std::unique_ptr<http::GrpcClientStream> stream_;
  bool opened_ = false;
  bool got_update_ = false;  // on this stream: the next failure is a new story
  std::vector<std::string> asking_;
  std::vector<std::string> releasing_;
  bool flush_scheduled_ = false;
  std::uint64_t updates_refused_ = 0;
  Backoff backoff_;
  std::unique_ptr<io::Timer> reopen_timer_;
  Anchor anchor_;
};

}  // namespace weft::sidecar
