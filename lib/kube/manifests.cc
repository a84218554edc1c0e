#include "kube/manifests.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "kube/json_field.h"
#include "kube/yaml_reader.h"

namespace weft::kube {
namespace {

// Files written by programs are JSON: nlohmann reads them faster, and with JSON's own rules.
Result<std::vector<YamlDocument>> read_any(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && text[first] == '{') {
    if (auto json = parse_json(text)) {
      std::vector<YamlDocument> one;
      one.push_back({.value = std::make_shared<const Json>(*std::move(json)), .begin = {1, 1}, .places = {}});
      return one;
    }
  }
  return read_yaml(text);
}

class Collector {
 public:
  Collector(std::string_view file, std::string_view default_namespace)
      : file_(file), default_namespace_(default_namespace) {}

  void take(const YamlDocument& document, unsigned number, bool only) {
    document_ = &document;
    number_ = number;
    where_ = only ? std::string() : str_cat("document ", number, ": ");
    const Json& root = *document.value;
    if (!root.is_object()) {
      out.errors.push_back(
          {Code::invalid, str_cat(at({}), "expected a Kubernetes object, found no mapping")});
    } else if (root.contains("items") && root.contains("kind") && root["kind"].is_string() &&
               root["kind"].get_ptr<const std::string*>()->ends_with("List") && root["items"].is_array()) {
      for (std::size_t i = 0; i < root["items"].size(); ++i)
        take_object(root["items"][i], element_path("items", i));
    } else {
      take_object(root, {});
    }
  }

  Manifests out;

 private:
  // "world.yaml:14:3: document 2: "
  std::string at(const std::string& path) const {
    return str_cat(file_, ":", document_->place_of(path).to_string(), ": ", where_);
  }

  void take_object(const Json& root, const std::string& prefix) {
    const std::string subject = describe_json(root, default_namespace_);
    if (!root.is_object() || !root.contains("kind") || !root.contains("apiVersion")) {
      out.errors.push_back({Code::invalid, str_cat(at(prefix), subject, ": expected apiVersion and kind")});
      return;
    }
    if (!knows_kind(root)) {
      out.skipped.push_back(str_cat(at(prefix), subject, ": skipped, weft does not use this kind"));
      return;
    }
    Problem problem;
    Object object = read_object(root, default_namespace_, problem);
    if (!problem.message.empty()) {
      const std::string path = prefix.empty() ? problem.path : str_cat(prefix, ".", problem.path);
      out.errors.push_back({Code::invalid, str_cat(at(path), subject, ": ", problem.text())});
      return;
    }
    std::visit(
        [&](auto& value) {
          value.json = root.dump(-1, ' ', false, Json::error_handler_t::replace);
          value.meta.origin = {file_, document_->place_of(prefix).line, number_};
        },
        object);
    out.objects.push_back(std::move(object));
  }

  std::string file_;
  std::string default_namespace_;
  const YamlDocument* document_ = nullptr;
  unsigned number_ = 0;
  std::string where_;
};

}  // namespace

Result<std::vector<Document>> parse_documents(std::string_view text, std::string_view file) {
  auto read = read_any(text);
  if (!read) return fail(read.error().code, str_cat(file, ":", read.error().message));
  std::vector<Document> out;
  for (const YamlDocument& document : *read)
    out.push_back({{std::string(file), document.begin.line, static_cast<unsigned>(out.size() + 1)},
                   document.value->dump(-1, ' ', false, Json::error_handler_t::replace)});
  return out;
}

Manifests parse_manifests(std::string_view text, std::string_view file, std::string_view default_namespace) {
  Collector collector(file, default_namespace);
  const auto read = read_any(text);
  if (!read) {
    collector.out.errors.push_back({read.error().code, str_cat(file, ":", read.error().message)});
    return std::move(collector.out);
  }
  for (std::size_t i = 0; i < read->size(); ++i)
    collector.take((*read)[i], static_cast<unsigned>(i + 1), read->size() == 1);
  return std::move(collector.out);
}

std::string to_yaml(std::string_view json) { return write_yaml(Json::parse(json, nullptr, false)); }

}  // namespace weft::kube
