#include "cli/explain/explain.h"

#include <algorithm>

#include "base/text.h"
#include "cli/explain/parts.h"
#include "discovery/translate.h"
#include "policy/pod_call.h"

namespace weft::cli {
namespace {

constexpr int status_unavailable = 503;
constexpr int status_bad_gateway = 502;

Status read_from(std::string_view from, Question& question) {
  if (from == "anonymous") return {};
  const std::size_t slash = from.find('/');
  const std::string_view form = ": expected NAMESPACE/SERVICE-ACCOUNT, as in default/hello, or anonymous";
  if (slash == std::string_view::npos) return fail(Code::invalid, str_cat("--from ", printable(from), form));
  question.from_namespace = from.substr(0, slash);
  question.from_account = from.substr(slash + 1);
  const SpiffeId id{"cluster.local", question.from_namespace, question.from_account};
  if (!SpiffeId::parse(id.to_string())) return fail(Code::invalid, str_cat("--from ", printable(from), form));
  return {};
}

Status read_to(std::string_view to, Question& question) {
  const std::size_t colon = to.rfind(':');
  std::string_view host = to.substr(0, colon);
  const std::string_view number = colon == std::string_view::npos ? "" : to.substr(colon + 1);
  const std::uint16_t port = parse_number<std::uint16_t>(number).value_or(0);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty() || port == 0)
    return fail(Code::invalid, str_cat("--to ", printable(to), ": expected HOST:PORT, as in world:80"));
  question.host = host;
  question.port = port;
  return {};
}

std::string owner_of(const policy::AddressOwner& owner) {
  using Kind = policy::AddressOwner::Kind;
  switch (owner.kind) {
    case Kind::service:
      return str_cat("Service ", owner.service);
    case Kind::pod:
      return str_cat("pod ", owner.pod.workload);
    case Kind::unknown_inside:
      return "nobody, inside the mesh's ranges";
    case Kind::unknown_outside:
      break;
  }
  return "nobody, outside the mesh";
}

Outcome refused(std::string_view reason, std::string why, int status = 0) {
  Outcome out;
  out.reason = reason;
  out.status = status;
  out.why = std::move(why);
  return out;
}

Outcome passed(std::string why) {
  Outcome out;
  out.allowed = true;
  out.why = std::move(why);
  return out;
}

// An address that is none of the mesh's: what the caller's sidecar does with it.
Outcome beyond(policy::AddressOwner::Kind kind, const Caller& caller) {
  if (kind == policy::AddressOwner::Kind::unknown_inside && caller.outbound_sidecar)
    return refused("unknown-destination", "the address lies within the mesh's ranges and belongs to nobody",
                   status_bad_gateway);
  if (caller.outbound_sidecar && caller.registry_only)
    return refused("registry-only",
                   "the address is outside the mesh, under weft.mesh/outbound-policy: registry-only",
                   status_bad_gateway);
  return passed("it leaves the mesh as it is, as opaque TCP; no Service, route or rule of the mesh applies");
}

Outcome outcome_of(const std::vector<ReceiverView>& receivers) {
  const auto allowed = [](const ReceiverView& one) { return one.allowed; };
  const bool depends = !std::all_of(receivers.begin(), receivers.end(), allowed) &&
                       std::any_of(receivers.begin(), receivers.end(), allowed);
  // Where it depends, the one that refuses is what somebody wants to hear of.
  const auto shown = std::find_if_not(receivers.begin(), receivers.end(), allowed);
  const ReceiverView& one = shown == receivers.end() ? receivers.front() : *shown;
  Outcome out{one.allowed, depends, one.status, one.reason, one.rule, one.why};
  if (depends) out.why += str_cat(" (by ", one.workloads.front(), "; others allow it)");
  return out;
}

void collect_wrong(const World& world, Explanation& out, const Caller& caller, const std::string& service) {
  std::set<std::string> objects;
  const auto add_pod = [&objects](const std::string& workload) {
    objects.insert(str_cat("Pod ", workload));
    objects.insert(str_cat("Namespace ", workload.substr(0, workload.find('/'))));
  };
  if (caller.pod != nullptr) add_pod(str_cat(caller.pod->meta.name_space, "/", caller.pod->meta.name));
  if (!service.empty()) objects.insert(str_cat("Service ", service.substr(0, service.rfind(':'))));
  for (const ReceiverView& receiver : out.receivers) {
    for (const std::string& workload : receiver.workloads) {
      add_pod(workload);
      const std::size_t slash = workload.find('/');
      const kube::Pod* pod = slash == std::string::npos ? nullptr
                                                        : world.state.index().pod(workload.substr(0, slash),
                                                                                  workload.substr(slash + 1));
      if (pod == nullptr) continue;
      for (const kube::Service* one : world.state.index().services_selecting(*pod))
        objects.insert(str_cat("Service ", one->meta.name_space, "/", one->meta.name));
    }
  }
  for (const WrongAnnotation& one : world.wrong) {
    if (objects.contains(one.object)) out.wrong.push_back(one);
  }
}

void follow(const World& world, const policy::AddressOwner& owner, const Caller& caller,
            const codec::RequestHead& head, policy::PathHazard hazard, Explanation& out) {
  const bool by_service = owner.kind == policy::AddressOwner::Kind::service;
  const std::string& name = by_service ? owner.service : owner.pod_service;
  const auto governing = discovery::translate_service(world.state.view(), name);
  const policy::Service service =
      by_service && governing ? *governing : policy::service_of_pod(owner, governing ? &*governing : nullptr);
  out.outbound = explain_outbound(world, service, by_service ? service.protocol : owner.protocol, head,
                                  caller.outbound_sidecar);
  if (service.endpoints.empty()) {
    out.outcome = refused("no-healthy-upstream", str_cat("Service ", service.name, " has no ready endpoint"),
                          caller.outbound_sidecar && out.outbound->http ? status_unavailable : 0);
  } else {
    out.receivers = explain_receivers(world, *out.outbound, caller, head, hazard);
    out.outcome = outcome_of(out.receivers);
  }
  // Before an endpoint is chosen.
  if (out.outbound->steering && out.outbound->steering->fault.abort_percent >= 100)
    out.outcome = refused("fault-injected", "weft.mesh/fault of this Service asks for it, of all requests",
                          out.outbound->steering->fault.abort_status);
  collect_wrong(world, out, caller, name);
}

}  // namespace

Result<Question> make_question(std::string_view from, std::string_view to, std::string_view method,
                               std::string_view path, const std::vector<std::string>& headers) {
  Question question;
  WEFT_TRY(read_from(from, question));
  WEFT_TRY(read_to(to, question));
  if (!path.starts_with('/'))
    return fail(Code::invalid, str_cat("--path ", printable(path), ": expected a path that begins with /"));
  question.head.method = method;
  question.head.target = path;
  question.head.authority = to;
  for (const std::string& header : headers) {
    const std::size_t equals = header.find('=');
    if (equals == std::string::npos || equals == 0)
      return fail(Code::invalid, str_cat("--header ", printable(header), ": expected NAME=VALUE"));
    const std::string name = ascii_lower(header.substr(0, equals));
    const std::string value = header.substr(equals + 1);
    if (name == "host")
      question.head.authority = value;
    else
      question.head.headers.add(name, value);
  }
  return question;
}

Result<Explanation> explain(const World& world, Question question) {
  Explanation out;
  out.notes = world.notes;
  out.to = str_cat(question.host, ":", question.port);
  Caller caller = find_caller(world, question, out.notes);
  WEFT_ASSIGN(const Target target, find_target(world, question, out.notes));
  policy::NormalTarget normal = policy::normalise_target(std::move(question.head.target));
  question.head.target = std::move(normal.target);
  out.request = str_cat(question.head.method, " ", question.head.target);
  if (!target.address) {
    out.owner = owner_of({});
    out.outcome = beyond(policy::AddressOwner::Kind::unknown_outside, caller);
  } else {
    apply_exclusions(world, *target.address, caller, out.notes);
    out.address = target.address->to_string();
    const policy::AddressOwner owner = discovery::translate_address(world.state.view(), *target.address);
    out.owner = owner_of(owner);
    const bool known =
        owner.kind == policy::AddressOwner::Kind::service || owner.kind == policy::AddressOwner::Kind::pod;
    if (known)
      follow(world, owner, caller, question.head, normal.hazard, out);
    else
      out.outcome = beyond(owner.kind, caller);
  }
  out.caller = caller.view;
  return out;
}

}  // namespace weft::cli
