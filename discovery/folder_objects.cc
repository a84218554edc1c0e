#include "discovery/folder_objects.h"

#include <utility>

#include "kube/manifests.h"

namespace weft::discovery {
namespace {

const std::string& json_of(const kube::Object& object) {
  return std::visit([](const auto& value) -> const std::string& { return value.json; }, object);
}

}  // namespace

const kube::Object* FolderObjects::effective(const ObjectKey& key) const {
  const auto found = in_files_.find(key);
  return found == in_files_.end() ? nullptr : &files_.at(*found->second.begin()).at(key);
}

FolderObjects::Read FolderObjects::put_file(const std::string& file, std::string_view text) {
  kube::Manifests manifests = kube::parse_manifests(text, file);
  Objects objects;
  for (kube::Object& object : manifests.objects) {
    ObjectKey key = key_of(object);
    objects.insert_or_assign(std::move(key), std::move(object));
  }
  if (manifests.errors.empty()) {
    broken_.erase(file);
  } else {
    broken_.insert(file);
    // Which of the former objects the broken part meant cannot be known, so none of them goes.
    const auto former = files_.find(file);
    if (former != files_.end())
      for (const auto& [key, object] : former->second) objects.try_emplace(key, object);
  }
  return {replace(file, std::move(objects)), std::move(manifests.errors), std::move(manifests.skipped)};
}

std::vector<Change> FolderObjects::remove_file(const std::string& file) {
  broken_.erase(file);
  return replace(file, {});
}

std::vector<Change> FolderObjects::replace(const std::string& file, Objects objects) {
  std::map<ObjectKey, std::string> before;  // JSON; empty: there was none
  for (const auto* side : {&files_[file], &objects}) {
    for (const auto& [key, object] : *side) {
      const kube::Object* was = effective(key);
      before.try_emplace(key, was == nullptr ? std::string() : json_of(*was));
    }
  }
  for (const auto& [key, object] : files_[file]) {
    auto& in = in_files_[key];
    in.erase(file);
    if (in.empty()) in_files_.erase(key);
  }
  for (const auto& [key, object] : objects) in_files_[key].insert(file);
  if (objects.empty()) {
    files_.erase(file);
  } else {
    files_[file] = std::move(objects);
  }
  std::vector<Change> out;
  for (const auto& [key, was] : before) {
    const kube::Object* is = effective(key);
    if (is == nullptr) {
      if (!was.empty()) out.push_back({key, std::nullopt});
    } else if (json_of(*is) != was) {
      out.push_back({key, *is});
    }
  }
  return out;
}

}  // namespace weft::discovery
