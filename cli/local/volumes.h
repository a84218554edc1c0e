// The files of a pod's volumes, on the node's hidden tmpfs: projected tokens, ConfigMaps, downward fields,
// empty folders. Blocking, but short: everything is in memory.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "cli/local/addresses.h"
#include "cli/local/node.h"
#include "cli/local/tokens.h"
#include "kube/objects.h"

namespace weft::local {

class Volumes {
 public:
  // Gives the ConfigMap, or null when there is none (yet).
  using FindConfigMap =
      Function<const kube::ConfigMap*(const std::string& name_space, const std::string& name)>;

  Volumes(const StateFolder& folder, const TokenIssuer& issuer, Random& random, FindConfigMap find_config_map)
      : folder_(folder), issuer_(issuer), random_(random), find_config_map_(std::move(find_config_map)) {}

  std::string folder_of(const kube::Pod& pod) const { return folder_.volumes() + "/" + pod.meta.uid; }

  // Makes the folders and files. unavailable: a ConfigMap is not there yet, try again later.
  Status make(const kube::Pod& pod, const std::vector<IpAddress>& addresses,
              const std::string& service_account_uid, WallTime now) const;
  // Writes every token anew; gives the time until the next refresh, nothing when the pod has no token.
  Result<std::optional<std::chrono::seconds>> refresh_tokens(const kube::Pod& pod,
                                                             const std::string& service_account_uid,
                                                             WallTime now) const;
  void remove(const kube::Pod& pod) const;

 private:
  Status make_source(const kube::Pod& pod, const kube::VolumeSource& source, const std::string& path,
                     const std::vector<IpAddress>& addresses) const;
  Status put(const std::string& folder, const std::string& file, std::string_view content, unsigned mode,
             std::optional<std::uint32_t> owner = std::nullopt) const;

  const StateFolder& folder_;
  const TokenIssuer& issuer_;
  Random& random_;
  FindConfigMap find_config_map_;
};

// A random UUID (RFC 9562, version 4).
std::string make_uuid(Random& random);

}  // namespace weft::local
