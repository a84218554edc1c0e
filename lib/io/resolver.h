// Names to addresses, on the loop: /etc/hosts, then DNS with the search domains of resolv.conf; localhost
// always works. An address as a name is itself. Single thread; no cache.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/callback.h"
#include "base/clock.h"
#include "base/result.h"

namespace weft::io {

class UvLoop;

// A question under way. Destroying it cancels: the callback will not run.
class Resolving {
 public:
  virtual ~Resolving() = default;
};

class Resolver {
 public:
  using Done = Function<void(Result<std::vector<IpAddress>>)>;

  // Destroying it cancels what is under way.
  virtual ~Resolver() = default;
  // A and AAAA, IPv4 first, never empty. `done` runs exactly once, never inline. Errors: not_found (no such
  // name, or no address), timeout, unavailable (no server answers), invalid (not a name); the message names
  // the name.
  virtual std::unique_ptr<Resolving> resolve(const std::string& name, Done done) = 0;
};

struct ResolverOptions {
  std::string resolv_conf = "/etc/resolv.conf";  // read once
  std::vector<Address> servers;                  // instead of those of resolv_conf
  Duration timeout = std::chrono::seconds(2);    // of one try; the next waits longer
  int tries = 2;                                 // a server
};

Result<std::unique_ptr<Resolver>> make_resolver(UvLoop& loop, const ResolverOptions& options = {});

}  // namespace weft::io
