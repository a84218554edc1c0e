// One accepted connection, outbound or inbound, from accept to close. Owned by its Worker.
#pragma once

#include "base/result.h"

namespace weft::sidecar {

class Connection;

class ConnectionOwner {
 public:
  // The connection is over; the owner deletes it at the end of the loop turn.
  virtual void connection_over(Connection& connection) = 0;

 protected:
  ~ConnectionOwner() = default;
};

class Connection {
 public:
  virtual ~Connection() = default;
  // A new configuration is in force: waiters look again, and what it no longer permits ends.
  virtual void config_changed() = 0;
  // Finish what is under way, take nothing new.
  virtual void drain() = 0;
  // A root that was trusted no longer is: what was made under it ends, and is made anew under what is trusted
  // now.
  virtual void root_removed() = 0;
};

}  // namespace weft::sidecar
