// What the validating webhook says of an object in a cluster, said by `weft local`: it lets a wrong value in,
// as a cluster does whose webhook is away, and tells whoever wrote it. Pure.
#pragma once

#include <string>
#include <vector>

#include "kube/objects.h"

namespace weft::local {

// A sentence for each wrong, unknown or misplaced weft.mesh/ key: "Service default/world: not in force:
// weft.mesh/timeout: column 3: expected a duration …, found '10x'". Empty: all is well.
std::vector<std::string> annotation_warnings(const kube::Object& object);

}  // namespace weft::local
