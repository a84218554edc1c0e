// Request targets and authorities (RFC 9112 § 3.2, RFC 3986 § 3.2). Pure; pieces of the HTTP/1 codec.
#pragma once

#include <string_view>

#include "codec/message.h"

namespace weft::codec {

// host [":" port], where the host may be empty, a name, an IPv4 or a bracketed IPv6 address; no user info.
bool is_authority(std::string_view text);

// Splits `target` into target, authority and scheme of `head`, whose method is set. False where it is not one
// of the four forms, or not the one that the method asks for.
bool parse_target(std::string_view target, RequestHead& head);

}  // namespace weft::codec
