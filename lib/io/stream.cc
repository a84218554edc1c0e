#include "io/stream.h"

#include "base/limits.h"

namespace weft::io {

std::size_t Stream::write_high() { return limits::write_high_bytes; }

}  // namespace weft::io
