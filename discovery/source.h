// Where the objects come from: a folder of manifests (folder_source.h), later the API server. A source
// reports changes only; what they add up to is the Index's business. One loop, one thread.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <vector>

#include "base/callback.h"
#include "kube/objects.h"

namespace weft::discovery {

struct ObjectKey {
  std::string kind;        // "Pod"
  std::string name_space;  // empty for a Namespace
  std::string name;
  auto operator<=>(const ObjectKey&) const = default;
};

inline ObjectKey key_of(const kube::Object& object) {
  const kube::Meta& meta = kube::meta_of(object);
  return {std::string(kube::kind_of(object)), meta.name_space, meta.name};
}

struct Change {
  ObjectKey key;
  std::optional<kube::Object> object;  // nothing: it is gone
};

class Source {
 public:
  virtual ~Source() = default;
  // The first batch is all there is (perhaps nothing), so that nobody is served from half a world; later ones
  // are what changed since. `changed` never runs inside start().
  using Changed = Function<void(std::vector<Change>)>;
  virtual void start(Changed changed) = 0;
};

}  // namespace weft::discovery
