// The weft command: wires the command line to the verbs, which do the work.
#include <algorithm>
#include <cstring>
#include <functional>
#include <string>

#include <CLI/CLI.hpp>

#include "base/random.h"
#include "cli/check.h"
#include "cli/config.h"
#include "cli/explain/verb.h"
#include "cli/inject.h"
#include "cli/local/container.h"
#include "cli/local/verbs.h"

namespace {

using namespace weft;

// The verb that was chosen; set while the command line is parsed.
using Chosen = std::function<int()>;

void add_target(CLI::App& verb, local::Target& target) {
  verb.add_option("--name", target.mesh, "which local mesh")->capture_default_str();
  verb.add_option("-n,--namespace", target.name_space, "namespace")->capture_default_str();
}

void add_inject(CLI::App& app, cli::InjectOptions& options, Chosen& chosen) {
  CLI::App* verb = app.add_subcommand("inject", "Show manifests as they would be with a sidecar");
  verb->add_option("-f,--file", options.files, "manifests: file, folder, or - for standard input")
      ->required();
  verb->callback([&options, &chosen] { chosen = [&options] { return cli::inject(options); }; });
}

void add_check(CLI::App& app, cli::CheckOptions& options, Chosen& chosen) {
  CLI::App* verb = app.add_subcommand("check", "Say what is wrong with the annotations of manifests");
  verb->add_option("-f,--file", options.files, "manifests: file, folder, or - for standard input")
      ->required();
  verb->callback([&options, &chosen] { chosen = [&options] { return cli::check(options); }; });
}

void add_config(CLI::App& app, cli::ConfigOptions& options, Chosen& chosen) {
  CLI::App* verb = app.add_subcommand("config", "Show what the sidecar of a pod holds");
  add_target(*verb, options.target);
  verb->add_option("pod", options.pod, "pod, or deployment/NAME")->required();
  verb->add_option("-o,--output", options.output, "json, or tables without it")
      ->check(CLI::IsMember({"json"}));
  verb->callback([&options, &chosen] { chosen = [&options] { return cli::config(options); }; });
}

void add_explain(CLI::App& app, cli::ExplainOptions& options, Chosen& chosen) {
  CLI::App* verb = app.add_subcommand("explain", "Say where a request goes, whether it may, and why");
  verb->add_option("--from", options.from, "NAMESPACE/SERVICE-ACCOUNT of the caller, or anonymous")
      ->required();
  verb->add_option("--to", options.to, "HOST:PORT, as the caller would write it")->required();
  verb->add_option("--method", options.method, "method of the request")->capture_default_str();
  verb->add_option("--path", options.path, "its path")->capture_default_str();
  verb->add_option("--header", options.headers, "NAME=VALUE, may be given several times")
      ->allow_extra_args(false);
  CLI::Option* files =
      verb->add_option("-f,--file", options.files,
                       "out of manifests instead of a mesh that runs: file, folder, or - for standard input");
  verb->add_option("--name", options.mesh, "which local mesh")->capture_default_str()->excludes(files);
  verb->add_option("-o,--output", options.output, "json, or text without it")->check(CLI::IsMember({"json"}));
  verb->callback([&options, &chosen] { chosen = [&options] { return cli::explain(options); }; });
}

void add_up(CLI::App& app, local::UpOptions& options, Chosen& chosen) {
  CLI::App* verb = app.add_subcommand("up", "Run manifests on this machine, in the foreground, as root");
  verb->add_option("--name", options.mesh, "name of this mesh, for several at once")->capture_default_str();
  verb->add_option("-f,--file", options.files, "manifests: file, folder, or - for standard input");
  verb->add_option("--image", options.images, "NAME=COMMAND: what stands in for a container image")
      ->allow_extra_args(false);
  verb->add_flag("!--no-control-plane", options.control_plane, "plain pods only, no mesh");
  verb->callback([&options, &chosen] { chosen = [&options] { return local::up(options); }; });
}

void add_exec(CLI::App& app, local::ExecOptions& options, Chosen& chosen) {
  CLI::App* verb =
      app.add_subcommand("exec", "Run a command inside a pod: exec POD [-c CONTAINER] -- COMMAND");
  add_target(*verb, options.target);
  CLI::Option* pod = verb->add_option("pod", options.pod, "pod, or deployment/NAME");
  verb->add_option("-c,--container", options.container, "container; without it the application's first");
  verb->add_flag("--node", options.node, "in the node that holds the pods, where every packet passes")
      ->excludes(pod);
  verb->callback([&options, &chosen] {
    if (options.pod.empty() && !options.node) throw CLI::RequiredError("pod");
    if (options.command.empty()) throw CLI::ValidationError("exec", "which command? exec POD -- COMMAND");
    chosen = [&options] { return local::exec(options); };
  });
}

void add_logs(CLI::App& app, local::LogsOptions& options, Chosen& chosen) {
  CLI::App* verb = app.add_subcommand("logs", "Show what a container printed");
  add_target(*verb, options.target);
  verb->add_option("pod", options.pod, "pod, or deployment/NAME")->required();
  verb->add_option("-c,--container", options.container, "container; without it the application's first");
  verb->add_flag("-f,--follow", options.follow, "go on with what comes");
  verb->callback([&options, &chosen] { chosen = [&options] { return local::logs(options); }; });
}

void add_status(CLI::App& app, local::StatusOptions& options, Chosen& chosen) {
  CLI::App* verb = app.add_subcommand("status", "List the pods");
  add_target(*verb, options.target);
  verb->add_option("-o,--output", options.output, "json, or a table without it")
      ->check(CLI::IsMember({"json"}));
  verb->add_option("--wait", options.wait_seconds, "wait up to that many seconds until every pod is ready");
  verb->callback([&options, &chosen] { chosen = [&options] { return local::status(options); }; });
}

void add_annotate(CLI::App& app, local::AnnotateOptions& options, Chosen& chosen) {
  CLI::App* verb =
      app.add_subcommand("annotate", "Change annotations: annotate KIND/NAME KEY=VALUE|KEY- ...");
  add_target(*verb, options.target);
  verb->add_option("object", options.object, "service/NAME, namespace/NAME, deployment/NAME or pod/NAME")
      ->required();
  verb->add_option("changes", options.changes, "KEY=VALUE sets, KEY- removes")->required();
  verb->callback([&options, &chosen] { chosen = [&options] { return local::annotate(options); }; });
}

void add_scale(CLI::App& app, local::ScaleOptions& options, Chosen& chosen) {
  CLI::App* verb = app.add_subcommand("scale", "Change the number of a Deployment's pods");
  add_target(*verb, options.target);
  verb->add_option("object", options.object, "deployment/NAME")->required();
  verb->add_option("replicas", options.replicas, "how many")->required();
  verb->callback([&options, &chosen] { chosen = [&options] { return local::scale(options); }; });
}

void add_delete_pod(CLI::App& app, local::DeletePodOptions& options, Chosen& chosen) {
  CLI::App* verb = app.add_subcommand("delete-pod", "End a pod in good order, and wait until it is gone");
  add_target(*verb, options.target);
  verb->add_option("pod", options.pod, "pod, or deployment/NAME")->required();
  verb->add_option("--grace", options.grace_seconds, "seconds until it is killed; without it the pod's own");
  verb->callback([&options, &chosen] { chosen = [&options] { return local::delete_pod(options); }; });
}

void add_apply(CLI::App& app, local::ApplyOptions& options, Chosen& chosen) {
  CLI::App* verb = app.add_subcommand("apply", "Add or change objects of the mesh that runs");
  add_target(*verb, options.target);
  verb->add_option("-f,--file", options.files, "manifests: file, folder, or - for standard input")
      ->required();
  verb->callback([&options, &chosen] { chosen = [&options] { return local::apply(options); }; });
}

void add_down(CLI::App& app, local::Target& target, Chosen& chosen) {
  CLI::App* verb = app.add_subcommand("down", "End the mesh");
  verb->add_option("--name", target.mesh, "which local mesh")->capture_default_str();
  verb->callback([&target, &chosen] { chosen = [&target] { return local::down(target); }; });
}

// Every verb's options; they live as long as the command.
struct Options {
  cli::InjectOptions inject;
  cli::CheckOptions check;
  cli::ConfigOptions config;
  cli::ExplainOptions explain;
  local::UpOptions up;
  local::ExecOptions exec;
  local::LogsOptions logs;
  local::StatusOptions status;
  local::AnnotateOptions annotate;
  local::ScaleOptions scale;
  local::DeletePodOptions delete_pod;
  local::ApplyOptions apply;
  local::Target down;
};

// What follows a bare "--" belongs to `exec` and is none of ours to read.
int run(int argc, char** argv) {
  CLI::App app("weft: a sidecar service mesh", "weft");
  app.require_subcommand(1);
  Options options;
  options.up.seed = system_random_seed();
  char** const end = argv + argc;
  char** const dashes =
      std::find_if(argv, end, [](const char* word) { return std::strcmp(word, "--") == 0; });
  if (dashes != end) options.exec.command.assign(dashes + 1, end);
  argc = static_cast<int>(dashes - argv);
  Chosen chosen;
  add_inject(app, options.inject, chosen);
  add_check(app, options.check, chosen);
  add_config(app, options.config, chosen);
  add_explain(app, options.explain, chosen);
  CLI::App* local = app.add_subcommand("local", "A whole mesh on this machine, for development and tests");
  local->require_subcommand(1);
  add_up(*local, options.up, chosen);
  add_exec(*local, options.exec, chosen);
  add_logs(*local, options.logs, chosen);
  add_status(*local, options.status, chosen);
  add_annotate(*local, options.annotate, chosen);
  add_scale(*local, options.scale, chosen);
  add_delete_pod(*local, options.delete_pod, chosen);
  add_apply(*local, options.apply, chosen);
  add_down(*local, options.down, chosen);
  CLI11_PARSE(app, argc, argv);
  return chosen();
}

}  // namespace

int main(int argc, char** argv) {
  // Not for people: weft as the first process of a container, and as a command inside one.
  if (argc == 2 && std::strcmp(argv[1], local::container_verb) == 0) return local::container_main();
  if (argc == 3 && std::strcmp(argv[1], local::enter_verb) == 0) return local::enter_main(argv[2]);
  return run(argc, argv);
}
