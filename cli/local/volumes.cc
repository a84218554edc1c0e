#include "cli/local/volumes.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>

#include "base/text.h"
#include "cli/local/pod_plan.h"

namespace weft::local {

namespace fs = std::filesystem;

std::string make_uuid(Random& random) {
  const std::uint64_t high = (random.next() & 0xffffffffffff0fffu) | 0x4000u;
  const std::uint64_t low = (random.next() & 0x3fffffffffffffffu) | 0x8000000000000000u;
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%08x-%04x-%04x-%04x-%012llx", static_cast<unsigned>(high >> 32),
                static_cast<unsigned>(high >> 16 & 0xffff), static_cast<unsigned>(high & 0xffff),
                static_cast<unsigned>(low >> 48), static_cast<unsigned long long>(low & 0xffffffffffffu));
  return text.data();
}

Status Volumes::put(const std::string& folder, const std::string& file, std::string_view content,
                    unsigned mode, std::optional<std::uint32_t> owner) const {
  if (file.empty() || file.find("..") != std::string::npos || file.front() == '/') {
    return fail(Code::invalid, str_cat("volume: ", printable(file), " is not a path below the mount"));
  }
  const std::string path = str_cat(folder, "/", file);
  std::error_code error;
  fs::create_directories(fs::path(path).parent_path(), error);
  return write_file_atomically(path, content, mode, folder_.scratch(), owner);
}

Status Volumes::make_source(const kube::Pod& pod, const kube::VolumeSource& source, const std::string& path,
                            const std::vector<IpAddress>& addresses) const {
  using Kind = kube::VolumeSource::Kind;
  if (source.kind == Kind::empty_dir && ::chmod(path.c_str(), 0777) != 0) return fail(system_error(path));
  if (source.kind == Kind::downward) {
    for (const kube::KeyToPath& item : source.items) {
      WEFT_TRY(put(path, item.path, downward_field(pod, item.key, addresses).value_or(""), 0644));
    }
  }
  if (source.kind == Kind::config_map) {
    const kube::ConfigMap* map = find_config_map_(pod.meta.name_space, source.name);
    if (map == nullptr) {
      if (source.optional) return {};
      return fail(Code::unavailable, str_cat("ConfigMap ", source.name, " is not there"));
    }
    for (const auto& [key, value] : map->data) {
      const auto item =
          std::find_if(source.items.begin(), source.items.end(),
                       [&key = key](const kube::KeyToPath& wanted) { return wanted.key == key; });
      if (!source.items.empty() && item == source.items.end()) continue;
      WEFT_TRY(put(path, item == source.items.end() ? key : item->path, value, 0644));
    }
  }
  if (source.kind == Kind::secret && !source.optional) {
    return fail(Code::invalid, str_cat("Secret ", source.name, ": weft local keeps no Secrets"));
  }
  return {};
}

Status Volumes::make(const kube::Pod& pod, const std::vector<IpAddress>& addresses,
                     const std::string& service_account_uid, WallTime now) const {
  const std::string folder = folder_of(pod);
  std::error_code error;
  fs::create_directories(folder, error);
  WEFT_TRY(put(folder, ".resolv.conf", resolv_conf_text(pod.meta.name_space), 0644));
  WEFT_TRY(put(folder, ".hosts", hosts_text(pod, addresses), 0644));
  for (const kube::Volume& volume : pod.spec.volumes) {
    const std::string path = str_cat(folder, "/", volume.name);
    fs::create_directories(path, error);
    for (const kube::VolumeSource& source : volume.sources) {
      if (Status made = make_source(pod, source, path, addresses); !made) {
        return fail(made.error().in(str_cat("volume ", volume.name)));
      }
    }
  }
  return refresh_tokens(pod, service_account_uid, now).map([](auto) {});
}

Result<std::optional<std::chrono::seconds>> Volumes::refresh_tokens(const kube::Pod& pod,
                                                                    const std::string& service_account_uid,
                                                                    WallTime now) const {
  std::optional<std::chrono::seconds> next;
  for (const kube::Volume& volume : pod.spec.volumes) {
    const std::string path = str_cat(folder_of(pod), "/", volume.name);
    for (const kube::VolumeSource& source : volume.sources) {
      if (source.kind != kube::VolumeSource::Kind::service_account_token) continue;
      const TokenRequest request{
          pod.meta.name_space, pod.spec.service_account_name,
          service_account_uid, pod.meta.name,
          pod.meta.uid,        source.audience.empty() ? std::string(default_audience) : source.audience,
          make_uuid(random_),  source.expiration};
      WEFT_ASSIGN(const std::string token, issuer_.sign(request, now));
      // Readable by its one user, or by all where several users share the volume (as a kubelet has it).
      const std::optional<std::uint32_t> user = volume_user(pod, volume.name);
      WEFT_TRY(put(path, source.path.empty() ? "token" : source.path, token, user ? 0600 : 0644, user));
      const std::chrono::seconds after = refresh_after(source.expiration);
      next = next ? std::min(*next, after) : after;
    }
  }
  return next;
}

void Volumes::remove(const kube::Pod& pod) const {
  std::error_code ignored;
  fs::remove_all(folder_of(pod), ignored);
}

}  // namespace weft::local
