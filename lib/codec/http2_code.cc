#include "codec/http2_code.h"

#include <array>
#include <string_view>

#include "base/text.h"

namespace weft::codec {
namespace {

constexpr std::array<std::string_view, 14> code_names = {
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
    "INADEQUATE_SECURITY",
    "HTTP_1_1_REQUIRED",
};

}  // namespace

std::string http2_code_name(Http2Code code) {
  const auto index = static_cast<std::size_t>(code);
  return index < code_names.size() ? std::string(code_names[index]) : str_cat("code ", index);
}

Error peer_broke(std::string_view how) { return {Code::invalid, str_cat("the peer broke HTTP/2: ", how)}; }

}  // namespace weft::codec
