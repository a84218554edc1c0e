#include "base/result.h"

namespace weft {

std::string_view code_name(Code code) {
  switch (code) {
    case Code::invalid:
      return "invalid";
    case Code::not_found:
      return "not-found";
    case Code::exists:
      return "exists";
    case Code::refused:
      return "refused";
    case Code::unavailable:
      return "unavailable";
    case Code::timeout:
      return "timeout";
    case Code::closed:
      return "closed";
    case Code::limit:
      return "limit";
    case Code::io:
      return "io";
    case Code::internal:
      return "internal";
  }
  return "internal";
}

}  // namespace weft
