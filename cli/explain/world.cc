#include "cli/explain/world.h"

#include <algorithm>

#include "base/text.h"
#include "cli/local/addresses.h"

namespace weft::cli {
namespace {

using Wrong = discovery::PolicyObjects::Wrong;

discovery::MeshOptions local_mesh() {
  discovery::MeshOptions mesh;
  for (const std::string_view range :
       {local::pod_range_v4, local::service_range_v4, local::pod_range_v6, local::service_range_v6})
    mesh.ranges.push_back(*Cidr::parse(range));
  return mesh;
}

discovery::Change change_of(kube::Object object) {
  discovery::ObjectKey key = discovery::key_of(object);
  return {std::move(key), std::move(object)};
}

const Wrong* find(const std::vector<Wrong>& wrong, const std::string& object) {
  const auto found =
      std::find_if(wrong.begin(), wrong.end(), [&object](const Wrong& one) { return one.object == object; });
  return found == wrong.end() ? nullptr : &*found;
}

void sort_by_name(auto& objects) {
  std::sort(objects.begin(), objects.end(), [](const auto& a, const auto& b) {
    return std::pair(a.meta.name_space, a.meta.name) < std::pair(b.meta.name_space, b.meta.name);
  });
}

}  // namespace

World make_world(const std::vector<kube::Object>& objects, const std::vector<Wrong>& wrong) {
  World world{.mesh = local_mesh(), .state = discovery::State(local_mesh())};
  // What discovery still holds comes first, so that it is this State's last good value as well.
  std::vector<discovery::Change> before;
  std::vector<discovery::Change> now;
  for (const kube::Object& object : objects) {
    if (const Wrong* held = find(wrong, kube::describe(object))) {
      kube::Object good = object;
      std::visit([held](auto& any) { any.meta.annotations = held->in_force; }, good);
      before.push_back(change_of(std::move(good)));
    }
    now.push_back(change_of(object));
    if (const auto* pod = std::get_if<kube::Pod>(&object)) world.pods.push_back(*pod);
    if (const auto* service = std::get_if<kube::Service>(&object)) world.services.push_back(*service);
    if (const auto* account = std::get_if<kube::ServiceAccount>(&object))
      world.service_accounts.emplace(account->meta.name_space, account->meta.name);
  }
  sort_by_name(world.pods);
  sort_by_name(world.services);
  world.state.apply(before);
  for (discovery::RefusedAnnotation& refused : world.state.apply(now).refused) {
    WrongAnnotation entry{std::move(refused.object), std::move(refused.error), std::nullopt};
    const Wrong* held = find(wrong, entry.object);
    const auto value =
        held == nullptr ? policy::Annotations::const_iterator() : held->in_force.find(entry.error.annotation);
    if (held != nullptr && value != held->in_force.end()) entry.in_force = value->second;
    world.wrong.push_back(std::move(entry));
  }
  return world;
}

}  // namespace weft::cli
