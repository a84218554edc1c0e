#include "discovery/state.h"

#include <utility>

namespace weft::discovery {

// Called before and after a change, so that old and new addresses are both there.
void State::touch(const ObjectKey& key, Touched& touched) const {
  touched.namespaces.insert(key.kind == "Namespace" ? key.name : key.name_space);
  if (key.kind == "Pod") {
    if (const kube::Pod* pod = index_.pod(key.name_space, key.name))
      touched.addresses.insert(pod->ips.begin(), pod->ips.end());
  } else if (key.kind == "Service") {
    if (const kube::Service* service = index_.service(key.name_space, key.name))
      touched.addresses.insert(service->cluster_ips.begin(), service->cluster_ips.end());
  }
}

State::Applied State::apply(const std::vector<Change>& changes) {
  Applied out;
  for (const Change& change : changes) {
    touch(change.key, out.touched);
    if (change.object) {
      index_.put(*change.object);
      for (policy::AnnotationError& error : policies_.put(*change.object))
        out.refused.push_back({kube::describe(*change.object), std::move(error)});
    } else {
      index_.remove(change.key);
      policies_.remove(change.key);
    }
    touch(change.key, out.touched);
  }
  return out;
}

}  // namespace weft::discovery
