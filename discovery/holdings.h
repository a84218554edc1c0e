// What one sidecar holds and what it should hold, and so what is to be sent to it. Pure: the stream around it
// (session.h) does the sending. One thread.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "discovery/resources.h"
#include "kube/config_codec.h"

namespace weft::discovery {

inline constexpr std::size_t addresses_per_stream_max = 20'000;

// The content of one Update.
struct Difference {
  std::vector<Encoded> resources;
  std::vector<std::string> removed;
  bool empty() const { return resources.empty() && removed.empty(); }
};

class Holdings {
 public:
  // `resources` outlives this.
  explicit Holdings(Resources& resources) : resources_(resources) {}

  // From Hello: resources by name with their versions. Addresses among them count as asked for.
  Status hold(const std::map<std::string, std::string>& held);
  // All or nothing: a wrong address changes nothing.
  Status change(const kube::Subscribe& message);
  // The pod whose inbound policy this sidecar gets, once it has proved to be that pod.
  void set_pod(std::string name_space, std::string name);

  // Whether difference() may give something after these resources changed.
  bool affected(const std::set<std::string>& changed) const;

  // What makes the sidecar hold what it should, as one Update of about `bytes_max` or less: Services come
  // before or with the addresses that lead to them, and what is gone comes last. What it returns counts as
  // held. Empty: all is there; otherwise ask again for the rest.
  Difference difference(std::size_t bytes_max);

  std::size_t addresses() const { return wanted_.size(); }

 private:
  struct Held {
    std::string version;
    Encoded resource;  // keeps it in the cache; null when held from before
  };

  bool lacks(const Encoded& resource) const;
  std::vector<Encoded> should_hold();

  Resources& resources_;
  std::set<Address> wanted_;
  std::optional<std::pair<std::string, std::string>> pod_;
  std::map<std::string, Held> held_;
};

}  // namespace weft::discovery
