// What a plain (unquoted) YAML scalar means to kubectl: YAML 1.1 as Go's yaml library reads it, since a
// manifest must mean the same to both. Pure. Internal to lib/kube.
#pragma once

#include <string_view>

#include "kube/json_field.h"

namespace weft::kube {

// invalid: a number that JSON cannot say (.inf, .nan).
Result<Json> plain_scalar(std::string_view text);

}  // namespace weft::kube
