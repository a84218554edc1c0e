#include "injector/probe_rewrite.h"

#include <array>
#include <cstdint>
#include <optional>

#include "base/text.h"

namespace weft::injector {
namespace {

constexpr std::uint16_t health_port = 15021;

struct ProbeKind {
  std::string_view field;
  std::string_view endpoint;
};
constexpr std::array probe_kinds = {ProbeKind{"livenessProbe", "livez"},
                                    ProbeKind{"readinessProbe", "readyz"},
                                    ProbeKind{"startupProbe", "startupz"}};

// A probe's port is a number, or the name of one of the container's ports.
std::optional<std::uint16_t> resolve_port(const Json& port, const Json& container) {
  if (port.is_number_integer()) {
    const auto number = port.get<std::int64_t>();
    return number >= 1 && number <= 65535 ? std::optional(static_cast<std::uint16_t>(number)) : std::nullopt;
  }
  if (!port.is_string()) return std::nullopt;
  // "8080" is taken for a number, as the kubelet does.
  if (const auto number = parse_number<std::uint16_t>(port.get_ref<const std::string&>())) return number;
  const Json* ports = member(container, "ports");
  if (ports == nullptr || !ports->is_array()) return std::nullopt;
  for (const Json& candidate : *ports) {
    const Json* name = member(candidate, "name");
    const Json* number = member(candidate, "containerPort");
    if (name != nullptr && *name == port && number != nullptr && number->is_number_integer()) {
      return resolve_port(*number, container);
    }
  }
  return std::nullopt;
}

struct Handler {
  std::string_view field;  // httpGet, tcpSocket, grpc
  std::string_view type;
};
constexpr std::array handlers = {Handler{"httpGet", "http"}, Handler{"tcpSocket", "tcp"},
                                 Handler{"grpc", "grpc"}};

// The copy of an action for the sidecar, its port resolved.
Result<Json> original_of(const Handler& handler, const Json& action, std::string_view path,
                         std::uint16_t port, const Json& probe) {
  Json original = {{"type", handler.type}, {"port", port}, {"timeoutSeconds", 1}};
  const Json* timeout = member(probe, "timeoutSeconds");
  if (timeout != nullptr && timeout->is_number_unsigned()) original["timeoutSeconds"] = *timeout;
  if (handler.type == "grpc") {
    WEFT_ASSIGN(original["service"], text_member(action, path, "service"));
  }
  if (handler.type != "http") return original;
  WEFT_ASSIGN(std::string target, text_member(action, path, "path"));
  WEFT_ASSIGN(std::string scheme, text_member(action, path, "scheme"));
  WEFT_ASSIGN(const Json* const headers, list_member(action, path, "httpHeaders"));
  original["path"] = target.empty() ? "/" : std::move(target);
  original["scheme"] = scheme.empty() ? "HTTP" : std::move(scheme);
  original["headers"] = headers == nullptr ? Json::array() : *headers;
  return original;
}

class Rewriter {
 public:
  Status container(const Json& container, std::string_view path, std::string_view pointer) {
    WEFT_ASSIGN(const std::string name, needed_text_member(container, path, "name"));
    for (const ProbeKind& kind : probe_kinds) {
      const Json* probe = member(container, kind.field);
      if (probe == nullptr) continue;
      WEFT_TRY(rewrite(container, name, kind, *probe, child_path(path, kind.field),
                       str_cat(pointer, "/", kind.field)));
    }
    return {};
  }
  ProbeRewrites take() { return std::move(rewrites_); }

 private:
  Status rewrite(const Json& container, const std::string& name, const ProbeKind& kind, const Json& probe,
                 const std::string& path, const std::string& pointer) {
    for (const Handler& handler : handlers) {
      const Json* action = member(probe, handler.field);
      if (action == nullptr) continue;
      const std::string action_path = child_path(path, handler.field);
      WEFT_ASSIGN(const std::string host, text_member(*action, action_path, "host"));
      if (!host.empty()) {
        rewrites_.warnings.push_back(str_cat(path, " names the host ", printable(host),
                                             ", so it is left as it is and bypasses the sidecar"));
        return {};
      }
      const Json* port_member = member(*action, "port");
      const auto port = port_member == nullptr ? std::nullopt : resolve_port(*port_member, container);
      if (!port) {
        return fail(Code::invalid, str_cat(action_path,
                                           ".port: expected a number from 1 to 65535 or the name of a "
                                           "port of container ",
                                           printable(name)));
      }
      // It asks the sidecar already: it was rewritten before, or is about the sidecar itself.
      if (*port == health_port) return {};
      const std::string key = str_cat(name, "/", kind.endpoint);
      WEFT_ASSIGN(rewrites_.originals[key], original_of(handler, *action, action_path, *port, probe));
      Json changed = probe;
      changed.erase(std::string(handler.field));
      changed["httpGet"] = {
          {"path", str_cat("/app-health/", key)}, {"port", health_port}, {"scheme", "HTTP"}};
      rewrites_.operations.push_back({{"op", "replace"}, {"path", pointer}, {"value", std::move(changed)}});
      return {};
    }
    return {};
  }

  ProbeRewrites rewrites_;
};

}  // namespace

Result<ProbeRewrites> rewrite_probes(const Json& pod) {
  Rewriter rewriter;
  const Json* spec = member(pod, "spec");
  if (spec == nullptr) return ProbeRewrites{};
  for (const std::string_view list : {"initContainers", "containers"}) {
    WEFT_ASSIGN(const Json* const containers, list_member(*spec, "spec", list));
    if (containers == nullptr) continue;
    for (std::size_t i = 0; i < containers->size(); ++i) {
      WEFT_TRY(rewriter.container((*containers)[i], element_path(child_path("spec", list), i),
                                  str_cat("/spec/", list, "/", i)));
    }
  }
  return rewriter.take();
}

}  // namespace weft::injector
