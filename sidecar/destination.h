// Where an outbound connection goes: from its original destination address, by what discovery said of it. A
// known address routes by address and port, never by a Host header that the caller could forge.
#pragma once

#include <memory>
#include <string>

#include "base/address.h"
#include "sidecar/gate.h"
#include "sidecar/worker_context.h"

namespace weft::sidecar {

struct Destination {
  enum class Kind {
    unknown,      // nobody has said yet: ask and wait
    service,      // `service`: a Service, or a pod called by its own address
    passthrough,  // outside the mesh: opaque TCP to the address itself
    refused,      // `reason`
  };
  Kind kind = Kind::unknown;
  std::shared_ptr<const ServiceState> service;
  policy::Protocol protocol = policy::Protocol::detect;
  std::string reason;
};

class Router {
 public:
  Router(WorkerContext& context, const Address& address) : context_(context), address_(address) {}

  // By the present configuration; cheap while that stays the same. What was known once is not forgotten.
  const Destination& resolve();
  // What becomes of an address that discovery says nothing of in time.
  Destination without_answer() const;
  const Address& address() const { return address_; }
  // What the destination is made of: another object after every change of it.
  std::shared_ptr<const void> basis() const;

 private:
  Destination find() const;
  Destination to_pod(const policy::AddressOwner& owner) const;

  WorkerContext& context_;
  Address address_;
  std::shared_ptr<const Config> resolved_with_;
  Destination destination_;
};

class OutboundGate final : public Gate {
 public:
  OutboundGate(WorkerContext& context, Router& router) : context_(context), router_(router) {}
  Admission admit(codec::RequestHead& head, RequestRecord& record) override;
  bool permits(const codec::RequestHead&) const override { return true; }  // the receiver decides

 private:
  WorkerContext& context_;
  Router& router_;
};

}  // namespace weft::sidecar
