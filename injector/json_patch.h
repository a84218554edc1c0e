// Applies a JSON patch (RFC 6902), as the API server does with the injector's answer: for `weft local`,
// `weft inject` and the tests. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace weft::injector {

// The patched document as JSON text. All or nothing; errors name the operation ("operation 3 (replace
// /spec/x): no such member"). An empty `patch` changes nothing.
Result<std::string> apply_json_patch(std::string_view document, std::string_view patch);

// A key as a segment of a JSON pointer (RFC 6901 § 3): "a/b" → "a~1b".
std::string pointer_escape(std::string_view key);

}  // namespace weft::injector
