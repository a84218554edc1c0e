// `weft explain`: over manifests, or over what a local mesh serves.
#pragma once

#include <string>
#include <vector>

namespace weft::cli {

struct ExplainOptions {
  std::string from;
  std::string to;
  std::string method = "GET";
  std::string path = "/";
  std::vector<std::string> headers;  // NAME=VALUE
  std::vector<std::string> files;    // none: ask the mesh
  std::string mesh = "default";
  std::string output;  // "json", or empty for people
};
// 0 also where the answer is that the request would be refused.
int explain(const ExplainOptions& options);

}  // namespace weft::cli
