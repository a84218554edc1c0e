// One sidecar's stream: checks who it is, keeps what it asked for, and sends what it lacks while it can take
// it. What is waiting for a slow reader is never more than the one difference between its state and the
// present one.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "base/callback.h"
#include "discovery/holdings.h"
#include "discovery/server.h"
#include "http/grpc_server.h"

namespace weft::discovery {

// Whether a sidecar is the pod that it says it is, by the state of the cluster. Pure.
enum class HelloVerdict : std::uint8_t { welcome, not_yet, refused };
struct HelloCheck {
  HelloVerdict verdict = HelloVerdict::refused;
  std::string reason;  // for not_yet and refused
};
HelloCheck check_hello(const Index& index, const std::string& trust_domain, const kube::Hello& hello,
                       const http::GrpcPeer& peer, bool check_peer_address);

class Session final : public http::GrpcStreamHandler {
 public:
  Session(ConfigServer& server, const http::GrpcRequest& request, http::GrpcServerStream& stream);
  ~Session() override;

  // After a batch: `changed` names the resources that are different now.
  void state_changed(const std::set<std::string>& changed);

  void message(std::string_view bytes) override;
  void half_closed() override;
  void drained() override;
  void closed(const codec::GrpcStatus& status) override;

 private:
  void greet();
  void flush();
  void flush_later();
  void take_ack(const kube::Ack& ack);
  void refuse(codec::GrpcCode code, const std::string& reason);
  std::string who() const;

  ConfigServer& server_;
  http::GrpcServerStream& stream_;
  std::shared_ptr<const http::GrpcPeer> peer_;
  kube::Hello hello_;
  bool greeted_ = false;  // Hello arrived
  bool welcome_ = false;  // and was found true
  bool finished_ = false;
  bool flush_planned_ = false;
  std::uint64_t nonce_ = 0;
  Holdings holdings_;
  Anchor anchor_;
};

}  // namespace weft::discovery
