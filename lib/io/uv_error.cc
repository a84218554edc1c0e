#include "io/uv_error.h"

#include <uv.h>

#include "base/text.h"

namespace weft::io {
namespace {

Code code_of(int status) {
  switch (status) {
    case UV_ECONNREFUSED:
      return Code::refused;
    case UV_ETIMEDOUT:
      return Code::timeout;
    case UV_ENETUNREACH:
    case UV_EHOSTUNREACH:
    case UV_EADDRNOTAVAIL:
    case UV_EAGAIN:
      return Code::unavailable;
    case UV_ECONNRESET:
    case UV_EPIPE:
    case UV_ECONNABORTED:
    case UV_ENOTCONN:
    case UV_ECANCELED:
      return Code::closed;
    case UV_ENOENT:
      return Code::not_found;
    case UV_EADDRINUSE:
    case UV_EEXIST:
      return Code::exists;
    case UV_EMFILE:
    case UV_ENFILE:
    case UV_ENOBUFS:
    case UV_ENOMEM:
      return Code::limit;
    case UV_EINVAL:
    case UV_ENAMETOOLONG:
      return Code::invalid;
    default:
      return Code::io;
  }
}

}  // namespace

Error system_error(int status, std::string_view what) {
  return Error{code_of(status), str_cat(what, ": ", uv_strerror(status))};
}

}  // namespace weft::io
