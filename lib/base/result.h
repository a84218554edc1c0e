// Errors are values. A function that can fail returns Result<T>; the code is for branching, the message
// is for people and teaches the next step. A layer that passes an error up puts its target in front:
// "connect 198.18.0.7:8080: refused".
#pragma once

#include <string>
#include <string_view>

#include <tl/expected.hpp>

namespace weft {

enum class Code {
  invalid,      // what came in breaks a rule; trying again will not help
  not_found,    // there is no such thing
  exists,       // there is one already
  refused,      // somebody said no: a connection, a token, a policy
  unavailable,  // not now: a dead peer, a full queue; trying again may help
  timeout,      // it took too long
  closed,       // the peer or the owner ended it
  limit,        // a hard limit was reached
  io,           // the operating system reported an error
  internal,     // a library failed in a way that should not happen
};

struct Error {
  Code code = Code::internal;
  std::string message;

  // The same error, with what was being done in front of its message.
  [[nodiscard]] Error in(std::string_view what) const {
    return Error{code, std::string(what).append(": ").append(message)};
  }
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> fail(Code code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

std::string_view code_name(Code code);

}  // namespace weft

// Leaves the enclosing function with the error of `expression`, if it has one; for Results whose value
// is not needed or is taken by the caller afterwards.
#define WEFT_TRY(expression)                                   \
  do {                                                         \
    if (auto weft_try_result = (expression); !weft_try_result) \
      return ::weft::fail(std::move(weft_try_result).error()); \
  } while (false)

#define WEFT_TRY_CONCAT_INNER(a, b) a##b
#define WEFT_TRY_CONCAT(a, b) WEFT_TRY_CONCAT_INNER(a, b)
// WEFT_ASSIGN(auto leaf, issue(csr)); declares `leaf` from the value or leaves with the error.
#define WEFT_ASSIGN(declaration, expression)                                         \
  auto WEFT_TRY_CONCAT(weft_assign_, __LINE__) = (expression);                       \
  if (!WEFT_TRY_CONCAT(weft_assign_, __LINE__))                                      \
    return ::weft::fail(std::move(WEFT_TRY_CONCAT(weft_assign_, __LINE__)).error()); \
  declaration = *std::move(WEFT_TRY_CONCAT(weft_assign_, __LINE__))
