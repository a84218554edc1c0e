// Small grammars of the command line. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace weft::local {

// A command as a shell would split it: blanks separate, quotes and backslash protect; nothing is expanded.
Result<std::vector<std::string>> split_command(std::string_view text);

// Image names and the local commands that stand in for them.
class ImageMap {
 public:
  // "NAME=COMMAND" as given to --image. NAME may have a tag; without one it stands for every tag.
  Status add(std::string_view argument);
  // The command of an image reference: exact, else without tag and digest, else its last path segment, each
  // without registry as well. Nothing: unknown.
  const std::vector<std::string>* find(std::string_view image) const;

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> commands_;
};

// "service/hello" → kind "Service" and a name. Short names as kubectl has them: svc, ns, deploy, po.
struct ObjectRef {
  std::string kind;
  std::string name;
  bool operator==(const ObjectRef&) const = default;
};
Result<ObjectRef> parse_object_ref(std::string_view text);

// "key=value" sets, "key-" removes.
struct AnnotationChange {
  std::string key;
  std::optional<std::string> value;
  bool operator==(const AnnotationChange&) const = default;
};
Result<AnnotationChange> parse_annotation_change(std::string_view text);

// The name of a local mesh, which becomes a folder: letters, digits and dashes, at most 32.
Status check_mesh_name(std::string_view name);

}  // namespace weft::local
