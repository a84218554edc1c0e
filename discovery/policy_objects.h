// What the annotations of Services, Pods and Namespaces say, with the last good value of each where the
// present one is wrong. A value: no I/O.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "discovery/source.h"
#include "policy/annotations.h"

namespace weft::discovery {

class PolicyObjects {
 public:
  // Reads the annotations of `object`; what is wrong with them is returned, and kept for refused(). A
  // repeated put of the same annotations reads nothing again and returns nothing.
  std::vector<policy::AnnotationError> put(const kube::Object& object);
  void remove(const ObjectKey& key);

  // Defaults where the object is not known.
  const policy::ServiceSettings& service(std::string_view name_space, std::string_view name) const;
  const policy::PodSettings& pod(std::string_view name_space, std::string_view name) const;
  const policy::NamespaceSettings& name_space(std::string_view name) const;

  // Wrong annotations as things stand.
  std::size_t refused() const;
  // The same, object by object, with what is in force of its annotations.
  struct Wrong {
    std::string object;  // "Service default/world", "Namespace default"
    std::vector<policy::AnnotationError> errors;
    policy::Annotations in_force;
  };
  std::vector<Wrong> wrong() const;

 private:
  template <class Settings>
  struct Entry {
    policy::Annotations annotations;
    policy::ReadAnnotations<Settings> read;
  };
  template <class Settings>
  using Entries = std::map<std::pair<std::string, std::string>, Entry<Settings>>;

  Entries<policy::ServiceSettings> services_;
  Entries<policy::PodSettings> pods_;
  Entries<policy::NamespaceSettings> namespaces_;
};

}  // namespace weft::discovery
