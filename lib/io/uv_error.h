// Private to lib/io: what the operating system or libuv said, as an Error.
#pragma once

#include <string_view>

#include "base/result.h"

namespace weft::io {

// `status` is negative, as libuv returns it (-errno). "what: connection refused".
Error system_error(int status, std::string_view what);

}  // namespace weft::io
