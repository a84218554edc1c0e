// Everything discovery knows, changed batch by batch; says what a batch may have touched, so that only that
// is translated again. A value: no I/O.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "discovery/index.h"
#include "discovery/policy_objects.h"
#include "discovery/source.h"
#include "discovery/translate.h"

namespace weft::discovery {

// What a translation may depend on and a batch has changed: objects of a namespace (or the Namespace itself),
// and addresses that got or lost an owner.
struct Touched {
  std::set<std::string> namespaces;
  std::set<IpAddress> addresses;
};

struct RefusedAnnotation {
  std::string object;  // "Service default/world"
  policy::AnnotationError error;
};

class State {
 public:
  explicit State(MeshOptions mesh) : mesh_(std::move(mesh)) {}

  struct Applied {
    Touched touched;
    std::vector<RefusedAnnotation> refused;  // that this batch brought
  };
  Applied apply(const std::vector<Change>& changes);

  // Lives as long as the State; what it gives changes with apply().
  View view() const { return {index_, policies_, mesh_}; }
  const Index& index() const { return index_; }
  const PolicyObjects& policies() const { return policies_; }

 private:
  void touch(const ObjectKey& key, Touched& touched) const;

  MeshOptions mesh_;
  Index index_;
  PolicyObjects policies_;
};

}  // namespace weft::discovery
