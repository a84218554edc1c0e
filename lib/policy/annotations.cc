#include "policy/annotations.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <span>

#include "base/edit_distance.h"
#include "base/limits.h"
#include "base/text.h"
#include "policy/retry.h"
#include "policy/values.h"

namespace weft::policy {
namespace {

using grammar::DurationBounds;
using grammar::Fault;
using grammar::Parsed;
using grammar::Piece;

using Applied = std::optional<Fault>;  // nothing: it went well

// One annotation of one kind of object: parses the value and, when it is good, stores it.
template <class Settings>
struct Entry {
  std::string_view name;
  Applied (*apply)(Settings&, const Piece&, std::string_view owner);
};

template <class T, class Target>
Applied store(Parsed<T> parsed, Target& target) {
  if (!parsed) return std::move(parsed).error();
  target = *std::move(parsed);
  return std::nullopt;
}

template <class Settings, RbacAction action>
Applied add_rules(Settings& settings, const Piece& value, std::string_view owner) {
  auto parsed = values::rules(value, action, owner);
  if (!parsed) return std::move(parsed).error();
  for (RbacRule& rule : *parsed) settings.rbac.rules.push_back(std::move(rule));
  return std::nullopt;
}

template <class S>
constexpr Entry<S> allow_entry{"allow", add_rules<S, RbacAction::allow>};
template <class S>
constexpr Entry<S> deny_entry{"deny", add_rules<S, RbacAction::deny>};
template <class S>
constexpr Entry<S> audit_entry{"audit", add_rules<S, RbacAction::audit>};

using S = ServiceSettings;
constexpr Entry<S> service_entries[] = {
    allow_entry<S>,
    {"attempts-header",
     [](S& s, const Piece& v, std::string_view) { return store(values::on_or_off(v), s.attempts_header); }},
    audit_entry<S>,
    {"canary", [](S& s, const Piece& v, std::string_view) { return store(values::canary(v), s.canary); }},
    {"canary-label",
     [](S& s, const Piece& v, std::string_view) { return store(grammar::label_key(v), s.canary_label); }},
    {"canary-sticky",
     [](S& s, const Piece& v, std::string_view) { return store(values::sticky(v), s.canary_sticky); }},
    deny_entry<S>,
    {"fault",
     [](S& s, const Piece& v, std::string_view) { return store(values::fault_injection(v), s.fault); }},
    {"limits", [](S& s, const Piece& v, std::string_view) { return store(values::limits(v), s.limits); }},
    {"load-balancer",
     [](S& s, const Piece& v, std::string_view) { return store(values::load_balancer(v), s.load_balancer); }},
    {"mirror", [](S& s, const Piece& v, std::string_view) { return store(values::mirror(v), s.mirror); }},
    {"outlier", [](S& s, const Piece& v, std::string_view) { return store(values::outlier(v), s.outlier); }},
    {"per-try-timeout",
     [](S& s, const Piece& v, std::string_view) {
       return store(grammar::duration(v), s.retry.per_try_timeout);
     }},
    {"preserve-case",
     [](S& s, const Piece& v, std::string_view) { return store(values::on_or_off(v), s.preserve_case); }},
    {"retry-attempts",
     [](S& s, const Piece& v, std::string_view) {
       return store(grammar::number(v, 0, retry_attempts_max, "a number of further tries"), s.retry.attempts);
     }},
    {"retry-budget", [](S& s, const Piece& v,
                        std::string_view) { return store(grammar::percent(v), s.retry.budget_percent); }},
    {"retry-methods",
     [](S& s, const Piece& v, std::string_view) { return store(values::retry_methods(v), s.retry.methods); }},
    {"retry-on",
     [](S& s, const Piece& v, std::string_view) -> Applied {
       auto parsed = values::retry_on(v);
       if (!parsed) return std::move(parsed).error();
       s.retry.retry_on = parsed->bits;
       s.retry.statuses = std::move(parsed->statuses);
       return std::nullopt;
     }},
    {"routes", [](S& s, const Piece& v, std::string_view) { return store(values::routes(v), s.routes); }},
    {"timeout",
     [](S& s, const Piece& v, std::string_view) { return store(grammar::duration(v), s.timeout); }},
};

using P = PodSettings;
constexpr Entry<P> pod_entries[] = {
    {"access-log",
     [](P& p, const Piece& v, std::string_view) { return store(values::access_log(v), p.access_log); }},
    allow_entry<P>,
    audit_entry<P>,
    {"concurrency",
     [](P& p, const Piece& v, std::string_view) {
       return store(grammar::number(v, 1, limits::workers_max, "a number of worker threads"), p.concurrency);
     }},
    {"cpu-limit",
     [](P& p, const Piece& v, std::string_view) { return store(grammar::quantity(v), p.cpu_limit); }},
    {"cpu-request",
     [](P& p, const Piece& v, std::string_view) { return store(grammar::quantity(v), p.cpu_request); }},
    deny_entry<P>,
    {"drain-timeout",
     [](P& p, const Piece& v, std::string_view) {
       return store(grammar::duration(v, DurationBounds{Millis(0), std::chrono::seconds(45)}),
                    p.drain_timeout);
     }},
    {"exclude-inbound-ports",
     [](P& p, const Piece& v, std::string_view) {
       return store(grammar::port_ranges(v), p.exclude_inbound_ports);
     }},
    {"exclude-outbound-cidrs",
     [](P& p, const Piece& v, std::string_view) {
       return store(grammar::cidrs(v), p.exclude_outbound_cidrs);
     }},
    {"exclude-outbound-ports",
     [](P& p, const Piece& v, std::string_view) {
       return store(grammar::port_ranges(v), p.exclude_outbound_ports);
     }},
    {"exclude-uids",
     [](P& p, const Piece& v, std::string_view) { return store(grammar::user_ids(v), p.exclude_uids); }},
    {"log-level",
     [](P& p, const Piece& v, std::string_view) { return store(values::log_level(v), p.log_level); }},
    {"memory-limit",
     [](P& p, const Piece& v, std::string_view) { return store(grammar::quantity(v), p.memory_limit); }},
    {"memory-request",
     [](P& p, const Piece& v, std::string_view) { return store(grammar::quantity(v), p.memory_request); }},
    {"mtls", [](P& p, const Piece& v, std::string_view) { return store(values::mtls(v), p.mtls); }},
    {"mtls-ports",
     [](P& p, const Piece& v, std::string_view) { return store(values::mtls_ports(v), p.mtls_ports); }},
    {"opaque-ports",
     [](P& p, const Piece& v, std::string_view) { return store(grammar::port_ranges(v), p.opaque_ports); }},
    {"outbound-policy",
     [](P& p, const Piece& v, std::string_view) {
       return store(values::outbound_policy(v), p.outbound_policy);
     }},
    {"preserve-case",
     [](P& p, const Piece& v, std::string_view) { return store(values::on_or_off(v), p.preserve_case); }},
    // Written by the injector, for people and for itself.
    {"status", [](P&, const Piece&, std::string_view) -> Applied { return std::nullopt; }},
    {"tcp-max-age",
     [](P& p, const Piece& v, std::string_view) {
       return store(grammar::duration(v, DurationBounds{std::chrono::seconds(1), std::chrono::hours(7 * 24)}),
                    p.tcp_max_age);
     }},
};

using N = NamespaceSettings;
constexpr Entry<N> namespace_entries[] = {
    allow_entry<N>,
    audit_entry<N>,
    {"default-policy", [](N& n, const Piece& v,
                          std::string_view) { return store(values::default_policy(v), n.default_policy); }},
    deny_entry<N>,
    {"mtls", [](N& n, const Piece& v, std::string_view) { return store(values::mtls(v), n.mtls); }},
    {"outbound-policy",
     [](N& n, const Piece& v, std::string_view) {
       return store(values::outbound_policy(v), n.outbound_policy);
     }},
};

template <class Settings>
const Entry<Settings>* find_entry(std::span<const Entry<Settings>> entries, std::string_view name) {
  const auto found =
      std::find_if(entries.begin(), entries.end(), [name](const auto& entry) { return entry.name == name; });
  return found == entries.end() ? nullptr : &*found;
}

constexpr std::string_view kind_names[] = {"a Service", "a pod template", "a Namespace"};
constexpr ObjectKind kinds[] = {ObjectKind::service, ObjectKind::pod, ObjectKind::name_space};

// Why `name` may not stand on an object of this kind.
std::string unknown_text(ObjectKind kind, std::string_view name) {
  constexpr std::size_t name_bytes_max = 64;
  const std::string_view here = kind_names[static_cast<std::size_t>(kind)];
  if (name == "inject")
    return str_cat("is a label, not an annotation: put it under metadata.labels of ", here);
  std::string places;
  for (const ObjectKind other : kinds) {
    const auto names = known_annotations(other);
    if (std::find(names.begin(), names.end(), name) == names.end()) continue;
    places.append(places.empty() ? "" : " or ").append(kind_names[static_cast<std::size_t>(other)]);
  }
  if (!places.empty()) return str_cat("has no meaning on ", here, ": it belongs on ", places);
  std::string_view nearest;
  std::size_t least = 3;
  for (const std::string_view known : known_annotations(kind)) {
    if (name.size() > name_bytes_max) break;
    const std::size_t edits = edit_distance(name, known);
    if (edits < least) {
      least = edits;
      nearest = known;
    }
  }
  if (!nearest.empty()) return str_cat("unknown annotation, did you mean ", annotation_prefix, nearest, "?");
  return str_cat("unknown annotation: docs/configuration.md lists those of ", here);
}

// The whole value but for white space around it: a block of YAML ends with a line feed.
Piece piece_of(const std::string& value) { return Piece{value, 1}.trimmed(); }

template <class Settings>
ReadAnnotations<Settings> read(ObjectKind kind, std::span<const Entry<Settings>> entries,
                               const Annotations& annotations, std::string_view owner,
                               const Annotations& last_good) {
  ReadAnnotations<Settings> out;
  for (auto at = annotations.lower_bound(std::string(annotation_prefix)); at != annotations.end(); ++at) {
    const auto& [key, value] = *at;
    if (!key.starts_with(annotation_prefix)) break;
    const std::string_view name = std::string_view(key).substr(annotation_prefix.size());
    const Entry<Settings>* entry = find_entry(entries, name);
    if (entry == nullptr) {
      out.errors.push_back(AnnotationError{key, 0, unknown_text(kind, name)});
      continue;
    }
    const Applied fault = entry->apply(out.settings, piece_of(value), owner);
    if (!fault) {
      out.good.emplace(key, value);
      continue;
    }
    out.errors.push_back(AnnotationError{key, fault->column, fault->to_string()});
    const auto before = last_good.find(key);
    if (before != last_good.end() && !entry->apply(out.settings, piece_of(before->second), owner)) {
      out.good.emplace(key, before->second);
    } else if (name == "allow" || name == "deny") {
      out.settings.rbac.broken = true;
    }
  }
  return out;
}

std::vector<AnnotationError> with_more(std::vector<AnnotationError> errors,
                                       std::vector<AnnotationError> more) {
  std::move(more.begin(), more.end(), std::back_inserter(errors));
  return errors;
}

}  // namespace

std::string AnnotationError::to_string() const {
  const std::string shown = printable(annotation, 253);
  return column == 0 ? str_cat(shown, ": ", text) : str_cat(shown, ": column ", column, ": ", text);
}

ReadAnnotations<ServiceSettings> parse_service_annotations(const Annotations& annotations,
                                                           std::string_view owner,
                                                           const Annotations& last_good) {
  return read<ServiceSettings>(ObjectKind::service, service_entries, annotations, owner, last_good);
}

ReadAnnotations<PodSettings> parse_pod_annotations(const Annotations& annotations, std::string_view owner,
                                                   const Annotations& last_good) {
  return read<PodSettings>(ObjectKind::pod, pod_entries, annotations, owner, last_good);
}

ReadAnnotations<NamespaceSettings> parse_namespace_annotations(const Annotations& annotations,
                                                               std::string_view owner,
                                                               const Annotations& last_good) {
  return read<NamespaceSettings>(ObjectKind::name_space, namespace_entries, annotations, owner, last_good);
}

ReadLabels parse_inject_label(ObjectKind kind, const Annotations& labels) {
  const std::string key = str_cat(annotation_prefix, "inject");
  const auto found = labels.find(key);
  if (found == labels.end()) return {};
  const bool on_pod = kind == ObjectKind::pod;
  if (found->second == (on_pod ? "true" : "enabled")) return {true, {}};
  if (found->second == (on_pod ? "false" : "disabled")) return {false, {}};
  const std::string_view expected = on_pod ? "true or false" : "enabled or disabled";
  const Fault fault{1, std::string(expected), found->second};
  return {std::nullopt, {AnnotationError{key, fault.column, fault.to_string()}}};
}

std::vector<AnnotationError> errors_of_pod(const Annotations& annotations, const Annotations& labels) {
  return with_more(parse_pod_annotations(annotations).errors,
                   parse_inject_label(ObjectKind::pod, labels).errors);
}

std::vector<AnnotationError> errors_of_namespace(const Annotations& annotations, const Annotations& labels) {
  return with_more(parse_namespace_annotations(annotations).errors,
                   parse_inject_label(ObjectKind::name_space, labels).errors);
}

std::vector<std::string_view> known_annotations(ObjectKind kind) {
  std::vector<std::string_view> names;
  const auto add = [&names](const auto& entries) {
    for (const auto& entry : entries) names.push_back(entry.name);
  };
  if (kind == ObjectKind::service) add(service_entries);
  if (kind == ObjectKind::pod) add(pod_entries);
  if (kind == ObjectKind::name_space) add(namespace_entries);
  return names;
}

}  // namespace weft::policy
