#include "cli/local/pod_plan.h"

#include <algorithm>

#include "base/text.h"
#include "cli/local/dns.h"

namespace weft::local {
namespace {

using Variables = std::vector<std::pair<std::string, std::string>>;

const Program* program_of(std::string_view image, const std::vector<Program>& programs) {
  image = image.substr(0, image.find('@'));
  image = image.substr(image.rfind('/') + 1);
  image = image.substr(0, image.find(':'));
  for (const Program& program : programs) {
    if (program.name == image) return &program;
  }
  return nullptr;
}

Error unknown_image(const kube::Container& container) {
  return Error{Code::invalid, str_cat("container ", container.name, ": no command is known for the image ",
                                      printable(container.image), "; say what stands in for it with --image ",
                                      printable(container.image), "=COMMAND")};
}

Variables plan_environment(const kube::Pod& pod, const kube::Container& container,
                           const PlanContext& context) {
  Variables variables{
      {"PATH", str_cat(program_folder, ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")},
      {"HOME", "/"},
      {"HOSTNAME", pod.meta.name}};
  for (const kube::EnvironmentVariable& variable : container.env) {
    std::string value = variable.field_path.empty()
                            ? expand_variables(variable.value, variables)
                            : downward_field(pod, variable.field_path, context.addresses).value_or("");
    std::erase_if(variables, [&variable](const auto& known) { return known.first == variable.name; });
    variables.emplace_back(variable.name, std::move(value));
  }
  return variables;
}

Result<std::vector<std::string>> plan_command(const kube::Container& container, const PlanContext& context,
                                              const Variables& variables) {
  std::vector<std::string> argv;
  if (!container.command.empty()) {
    argv = container.command;
  } else if (const Program* program = program_of(container.image, context.programs)) {
    argv.push_back(str_cat(program_folder, "/", program->name));
  } else if (const std::vector<std::string>* command = context.images.find(container.image)) {
    argv = *command;
  }
  // A manifest's own words are expanded, the user's --image is taken as it is.
  const bool own_command = !container.command.empty();
  if (own_command) {
    for (std::string& word : argv) word = expand_variables(word, variables);
  }
  for (const std::string& word : container.args) argv.push_back(expand_variables(word, variables));
  if (argv.empty()) return fail(unknown_image(container));
  return argv;
}

Result<std::vector<Mount>> plan_mounts(const kube::Pod& pod, const kube::Container& container,
                                       const PlanContext& context) {
  std::vector<Mount> mounts{{context.resolv_conf, "/etc/resolv.conf", false},
                            {context.hosts, "/etc/hosts", false}};
  if (const Program* program = program_of(container.image, context.programs)) {
    mounts.push_back({program->path, str_cat(program_folder, "/", program->name), true});
  }
  for (const kube::VolumeMount& mount : container.volume_mounts) {
    const auto volume =
        std::find_if(pod.spec.volumes.begin(), pod.spec.volumes.end(),
                     [&mount](const kube::Volume& known) { return known.name == mount.name; });
    if (volume == pod.spec.volumes.end()) {
      return fail(Code::invalid, str_cat("container ", container.name, ": volumeMounts name the volume ",
                                         printable(mount.name), ", which the pod does not have"));
    }
    const bool host =
        volume->sources.size() == 1 && volume->sources[0].kind == kube::VolumeSource::Kind::host_path;
    std::string source = host ? volume->sources[0].path : str_cat(context.volumes, "/", mount.name);
    if (!mount.sub_path.empty()) source += str_cat("/", mount.sub_path);
    mounts.push_back({std::move(source), mount.mount_path, mount.read_only});
  }
  return mounts;
}

}  // namespace

std::string expand_variables(std::string_view text, const Variables& values) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$' || i + 1 == text.size()) {
      out.push_back(text[i]);
      continue;
    }
    if (text[i + 1] == '$') {
      out.push_back('$');
      ++i;
      continue;
    }
    const std::size_t close = text[i + 1] == '(' ? text.find(')', i) : std::string_view::npos;
    if (close == std::string_view::npos) {
      out.push_back('$');
      continue;
    }
    const std::string_view name = text.substr(i + 2, close - i - 2);
    const auto known =
        std::find_if(values.begin(), values.end(), [name](const auto& value) { return value.first == name; });
    out.append(known == values.end() ? text.substr(i, close - i + 1) : std::string_view(known->second));
    i = close;
  }
  return out;
}

std::optional<std::string> downward_field(const kube::Pod& pod, std::string_view path,
                                          const std::vector<IpAddress>& addresses) {
  if (path == "metadata.name") return pod.meta.name;
  if (path == "metadata.namespace") return pod.meta.name_space;
  if (path == "metadata.uid") return pod.meta.uid;
  if (path == "spec.nodeName") return "node";
  if (path == "spec.serviceAccountName") return pod.spec.service_account_name;
  if (path == "status.podIP") return addresses.front().to_string();
  if (path == "status.podIPs") {
    std::vector<std::string> texts;
    for (const IpAddress& address : addresses) texts.push_back(address.to_string());
    return join(texts, ",");
  }
  if (path == "status.hostIP") return node_addresses().v4.to_string();
  const auto keyed = [path](std::string_view field,
                            const kube::Labels& values) -> std::optional<std::string> {
    const std::string whole = str_cat("metadata.", field);
    if (path == whole) {
      std::string lines;
      for (const auto& [key, value] : values) lines += str_cat(key, "=\"", value, "\"\n");
      return lines;
    }
    const std::string begin = str_cat(whole, "['");
    if (!path.starts_with(begin) || !path.ends_with("']")) return std::nullopt;
    const auto found = values.find(std::string(path.substr(begin.size(), path.size() - begin.size() - 2)));
    return found == values.end() ? std::string() : found->second;
  };
  if (auto label = keyed("labels", pod.meta.labels)) return label;
  return keyed("annotations", pod.meta.annotations);
}

Result<ContainerSpec> plan_container(const kube::Pod& pod, const kube::Container& container,
                                     const PlanContext& context) {
  const Variables variables = plan_environment(pod, container, context);
  ContainerSpec spec;
  WEFT_ASSIGN(spec.argv, plan_command(container, context, variables));
  WEFT_ASSIGN(spec.mounts, plan_mounts(pod, container, context));
  for (const auto& [name, value] : variables) spec.env.push_back(str_cat(name, "=", value));
  if (!container.working_dir.empty()) spec.working_dir = container.working_dir;
  spec.hostname = pod.meta.name.substr(0, 63);
  const auto& user =
      container.security.run_as_user ? container.security.run_as_user : pod.spec.security.run_as_user;
  const auto& group =
      container.security.run_as_group ? container.security.run_as_group : pod.spec.security.run_as_group;
  spec.uid = user.value_or(0);
  spec.gid = group.value_or(0);
  Result<std::uint64_t> capabilities = capability_set(container.security);
  if (!capabilities) return fail(capabilities.error().in(str_cat("container ", container.name)));
  spec.capabilities = *capabilities;
  spec.no_new_privileges = !container.security.privileged && spec.uid != 0;
  return spec;
}

namespace {

Status check_images(const kube::PodSpec& spec, const ImageMap& images, const std::vector<Program>& programs) {
  for (const auto* list : {&spec.init_containers, &spec.containers}) {
    for (const kube::Container& container : *list) {
      if (!container.command.empty() || program_of(container.image, programs) != nullptr) continue;
      const std::vector<std::string>* command = images.find(container.image);
      if (command == nullptr || (command->empty() && container.args.empty()))
        return fail(unknown_image(container));
    }
  }
  return {};
}

}  // namespace

Status check_object(const kube::Object& object, const ImageMap& images,
                    const std::vector<Program>& programs) {
  const kube::PodSpec* spec = nullptr;
  if (const auto* deployment = std::get_if<kube::Deployment>(&object)) spec = &deployment->pod_template.spec;
  if (const auto* pod = std::get_if<kube::Pod>(&object)) spec = &pod->spec;
  if (spec == nullptr) return {};
  const Status good = check_images(*spec, images, programs);
  return good ? good : fail(good.error().in(kube::describe(object)));
}

std::string resolv_conf_text(std::string_view name_space) {
  return str_cat("nameserver ", dns_addresses().v4.to_string(), "\nsearch ", name_space, ".svc.",
                 cluster_domain, " svc.", cluster_domain, " ", cluster_domain,
                 "\noptions ndots:5 timeout:1 attempts:3\n");
}

std::string hosts_text(const kube::Pod& pod, const std::vector<IpAddress>& addresses) {
  std::string text = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
  for (const IpAddress& address : addresses) {
    text += str_cat(address.to_string(), "\t", pod.meta.name, "\n");
  }
  return text;
}

std::optional<std::uint32_t> volume_user(const kube::Pod& pod, std::string_view volume) {
  std::optional<std::uint32_t> user;
  for (const auto* list : {&pod.spec.init_containers, &pod.spec.containers}) {
    for (const kube::Container& container : *list) {
      for (const kube::VolumeMount& mount : container.volume_mounts) {
        if (mount.name != volume) continue;
        const auto& own =
            container.security.run_as_user ? container.security.run_as_user : pod.spec.security.run_as_user;
        if (user && *user != own.value_or(0)) return std::nullopt;
        user = own.value_or(0);
      }
    }
  }
  return user;
}

}  // namespace weft::local
