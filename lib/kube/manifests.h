// Manifests: files of YAML or JSON documents, turned into JSON text and into objects. Scalars mean what they
// mean to kubectl (YAML 1.1: an unquoted `on`, `yes` or `y` is a boolean, 0644 is octal), so that a file
// which kubectl would refuse is refused here too. Aliases, nesting and size are bounded. yaml-cpp stays
// behind this header. Pure; any thread. No exception leaves it.
//
// Errors name file, line and column, document where there are several, object and field:
// "world.yaml:14:3: document 2: Service default/world: spec.ports[0].port: expected a number 1 to 65535,
// found 'x'".
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kube/objects.h"

namespace weft::kube {

inline constexpr std::size_t manifest_bytes_max = 16 * 1024 * 1024;  // one file, before and after aliases
inline constexpr std::size_t manifest_nodes_max = 500'000;           // one document, aliases expanded
inline constexpr unsigned manifest_depth_max = 64;

// One document, as JSON. A `kind: List` is not unfolded here.
struct Document {
  Origin origin;
  std::string json;
};

// Every document of `text` that says anything. The first syntax error fails the whole text, for what follows
// it cannot be trusted. `file` is for messages only.
Result<std::vector<Document>> parse_documents(std::string_view text, std::string_view file);

struct Manifests {
  std::vector<Object> objects;
  std::vector<Error> errors;  // one per broken object, or one for a file that cannot be read at all
  std::vector<std::string>
      skipped;  // "world.yaml:30:1: Ingress default/web: skipped, weft does not use this kind"
};

// The objects of `text`; the items of a List are unfolded. Good objects are there even when others are
// broken: the caller decides whether to go on.
Manifests parse_manifests(std::string_view text, std::string_view file,
                          std::string_view default_namespace = "default");

// JSON as YAML, for people (`weft inject`, `weft config`). REQUIRES: `json` is JSON.
std::string to_yaml(std::string_view json);

}  // namespace weft::kube
