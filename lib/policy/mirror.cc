#include "policy/mirror.h"

#include <algorithm>

#include "base/text.h"

namespace weft::policy {

bool is_mirrored(const Mirror& mirror, const codec::RequestHead& head, Random& random) {
  if (mirror.percent == 0 || head.method == "CONNECT" || head.headers.has("upgrade")) return false;
  return random.happens(mirror.percent);
}

std::string shadow_authority(std::string_view authority) {
  if (authority.empty() || authority.starts_with('[')) return std::string(authority);
  const std::size_t port = std::min(authority.find(':'), authority.size());
  return str_cat(authority.substr(0, port), "-shadow", authority.substr(port));
}

codec::RequestHead shadow_head(const codec::RequestHead& head) {
  codec::RequestHead copy = head;
  copy.authority = shadow_authority(head.authority);
  copy.headers.remove("expect");
  return copy;
}

}  // namespace weft::policy
