// Request paths: the one normal form in which a request is decided on and forwarded, and the further readings
// that a careless application might give the same bytes. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weft::policy {

// Whether it may stand in a request line as it is: visible ASCII alone (RFC 9112 § 3).
bool fits_request_line(std::string_view target);

// What makes a path readable in two ways. Where path rules govern, each of them is answered with 400.
enum class PathHazard : std::uint8_t {
  none,
  encoded_slash,      // %2F
  backslash,          // %5C, or raw
  nul,                // %00, or raw
  malformed_percent,  // "%" without two hexadecimal digits
  overlong,           // UTF-8 in more bytes than needed, such as %C0%AF
  fragment,           // a raw "#"
};
std::string_view path_hazard_name(PathHazard hazard);

struct NormalTarget {
  std::string target;          // path and query, to be forwarded
  std::size_t path_bytes = 0;  // of them, what stands before "?"
  PathHazard hazard = PathHazard::none;
  std::string_view path() const { return std::string_view(target).substr(0, path_bytes); }
};

// Normalises the path of an origin-form target by RFC 3986 § 6.2.2 (unreserved characters decoded, upper-case
// hexadecimal digits, dot segments removed) and merges slashes; the query stays as it is. Idempotent. Other
// forms
// ("*", an authority) and paths with a malformed percent-encoding come back unchanged. Costs no allocation
// where there is nothing to do.
NormalTarget normalise_target(std::string target);

// The distinct readings of a normalised path besides itself: parameters stripped, fully decoded, and both;
// each with dot segments and double slashes removed again. Case folding is left to the comparison.
class PathReadings {
 public:
  explicit PathReadings(std::string_view normal_path);
  std::size_t size() const { return count_; }
  std::string_view operator[](std::size_t i) const {
    return i == 0 ? normal_ : std::string_view(extra_[i - 1]);
  }

 private:
  void add(std::string reading);

  std::string_view normal_;
  std::string extra_[3];
  std::size_t count_ = 1;
};

// A path of a rule, compiled: "/x" is exactly that path; "/x/*" is "/x" and everything below it.
class PathPattern {
 public:
  explicit PathPattern(std::string_view rule_path);
  // For allow: this reading, exactly as written.
  bool matches(std::string_view reading) const;
  // For deny: without regard to case and to slashes at the end.
  bool matches_loosely(std::string_view reading) const;

 private:
  std::string normal_;   // without "/*"
  std::string decoded_;  // the same, fully decoded; empty where equal
  bool prefix_ = false;
};

}  // namespace weft::policy
