#include <cstdio>
#include <cstdlib>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/local/container.h"
#include "cli/local/node.h"
#include "cli/local/verb_support.h"

namespace weft::local {
namespace {

using nlohmann::json;

struct Place {
  std::string proc_folder;
  ContainerSpec spec;
};

// The node's first process, as this process' /proc has it.
Result<std::string> node_proc_folder(const std::string& mesh) {
  const Result<std::string> pid = read_file(StateFolder::of(mesh).pid(), 32);
  if (!pid) return fail(Code::not_found, str_cat("no local mesh named ", mesh, " is running"));
  return str_cat("/proc/", trim(pid->substr(0, pid->find('\n'))));
}

Result<Place> find_container(const ExecOptions& options) {
  ControlRequest request;
  request.verb = "container";
  request.name = options.pod;
  request.container = options.container;
  WEFT_ASSIGN(const std::string answer, ask(options.target, std::move(request)));
  const json object = json::parse(answer, nullptr, false);
  const auto pid = object.find("pid");
  const auto spec = object.find("spec");
  if (pid == object.end() || !pid->is_number_integer() || spec == object.end()) {
    return fail(Code::internal, "the mesh's answer names no container");
  }
  const auto number = pid->get<std::int64_t>();
  if (number <= 0) return fail(Code::unavailable, "the container is not running");
  WEFT_ASSIGN(ContainerSpec parsed, parse_container_spec(spec->dump()));
  WEFT_ASSIGN(const std::string node, node_proc_folder(options.target.mesh));
  // Its number is the node's; the node's own /proc translates.
  return Place{str_cat(node, "/root/proc/", number), std::move(parsed)};
}

Result<Place> find_node(const ExecOptions& options) {
  Place place;
  WEFT_ASSIGN(place.proc_folder, node_proc_folder(options.target.mesh));
  place.spec.env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"};
  WEFT_ASSIGN(place.spec.capabilities, capability_set({.privileged = true}));
  return place;
}

}  // namespace

int exec(const ExecOptions& options) {
  Result<Place> place = options.node ? find_node(options) : find_container(options);
  if (!place) return report(place.error());
  place->spec.argv = options.command;
  if (const char* terminal = std::getenv("TERM")) place->spec.env.push_back(str_cat("TERM=", terminal));
  const Result<int> code = enter_and_run(place->proc_folder, place->spec);
  return code ? *code : report(code.error());
}

}  // namespace weft::local
