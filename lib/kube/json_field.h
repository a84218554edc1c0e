// Reading fields out of JSON with one error text for all of them. A JsonField knows the path that led to it;
// the first wrong value is noted in the shared Problem, reading goes on with defaults, and the caller looks
// once at the end. Internal to lib/kube.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/address.h"
#include "kube/objects.h"

namespace weft::kube {

using Json = nlohmann::json;

// The path of a member: ".name", or [\"a.b/c\"] where the key is no plain word.
std::string member_path(std::string_view parent, std::string_view key);
std::string element_path(std::string_view parent, std::size_t index);

struct Problem {
  std::string path;
  std::string message;  // empty: all is well
  void note(std::string_view where, std::string what);
  std::string text() const;  // "spec.ports[0].port: expected …"
};

class JsonField {
 public:
  // REQUIRES: `value` and `problem` outlive the field and those made from it.
  JsonField(const Json& root, Problem& problem) : value_(&root), problem_(&problem) {}

  bool present() const;
  const std::string& path() const { return path_; }
  JsonField operator[](std::string_view key) const;  // an absent one when there is none
  template <class F>
  void each(F read) const {
    const std::size_t size = list_size();
    for (std::size_t i = 0; i < size; ++i) read(element(i));
  }

  // Absent and null read as the fallback.
  std::string text(std::string_view fallback = {}) const;
  std::string needed_text() const;
  bool boolean(bool fallback = false) const;
  std::uint32_t number(std::uint32_t least, std::uint32_t most, std::uint32_t fallback) const;
  std::chrono::seconds seconds(std::chrono::seconds fallback) const;
  std::uint16_t needed_port() const;
  PortRef port_ref() const;
  std::vector<std::string> texts() const;
  Labels text_map() const;
  Labels quantity_map() const;  // numbers are taken as text: `cpu: 1`
  IpAddress ip() const;
  // RFC 1123: a label (a Namespace's name) or a subdomain (most other names), since names become parts of
  // SPIFFE ids and of paths.
  std::string dns_label() const;
  std::string dns_subdomain() const;

  void wrong(std::string what) const { problem_->note(path_, std::move(what)); }
  // "expected <what>, found 'x'"
  void unexpected(std::string_view expected) const;

 private:
  JsonField(const Json* value, std::string path, Problem& problem)
      : value_(value), path_(std::move(path)), problem_(&problem) {}
  std::size_t list_size() const;  // of a list; 0 for anything else
  JsonField element(std::size_t index) const;
  bool expect_map() const;

  const Json* value_;
  std::string path_;
  Problem* problem_;
};

// JSON text as a value, refusing what is nested deeper than manifest_depth_max.
Result<Json> parse_json(std::string_view text);

// ---- readers, for both doors (JSON text and manifests) ----

PodSpec read_pod_spec(const JsonField& spec);
Meta read_meta(const JsonField& metadata, bool namespaced, std::string_view default_namespace,
               bool needs_name);
// Whether the kind is one of Object's, by apiVersion and kind.
bool knows_kind(const Json& root);
// Reads one; the caller looks at `problem` afterwards. REQUIRES: knows_kind. `json` is not filled in.
Object read_object(const Json& root, std::string_view default_namespace, Problem& problem);
// "Service default/world" as far as the JSON says it.
std::string describe_json(const Json& root, std::string_view default_namespace);

}  // namespace weft::kube
