// For protocols that still ask for it (WebSocket): no protection of anything. Pure.
#pragma once

#include <string>
#include <string_view>

namespace weft::tls {

std::string sha1(std::string_view bytes);  // 20 bytes

}  // namespace weft::tls
