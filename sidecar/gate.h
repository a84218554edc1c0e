// Decides, for each request of a downstream HTTP connection, whether it passes and where it goes.
// OutboundGate routes, InboundGate authorises; both bring the head into the form in which it is forwarded.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "codec/message.h"
#include "sidecar/local_reply.h"
#include "sidecar/records.h"
#include "sidecar/service_state.h"

namespace weft::sidecar {

struct Admission {
  std::shared_ptr<const ServiceState> service;              // where it goes; null with a reply
  policy::Protocol application = policy::Protocol::detect;  // what is declared to be spoken there
  bool tells_attempts = false;                              // the caller hears how many tries were made
  std::optional<LocalReply> reply;                          // refused: what to say
};

class Gate {
 public:
  virtual ~Gate() = default;
  // May change `head` (normal path, headers stripped and added) and fills what it knows of `record`.
  virtual Admission admit(codec::RequestHead& head, RequestRecord& record) = 0;
  // Whether what was admitted earlier, and goes on as a tunnel, still may; `head` is the one that admit()
  // left.
  virtual bool permits(const codec::RequestHead& head) const = 0;
};

}  // namespace weft::sidecar
