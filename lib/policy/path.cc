#include "policy/path.h"

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace weft::policy {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The byte that "%XX" at `at` stands for, or nothing.
std::optional<char> decoded_at(std::string_view text, std::size_t at) {
  if (at + 2 >= text.size()) return std::nullopt;
  const int high = hex_value(text[at + 1]);
  const int low = hex_value(text[at + 2]);
  if (high < 0 || low < 0) return std::nullopt;
  return static_cast<char>(high * 16 + low);
}

// RFC 3986 § 2.3.
bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

// UTF-8 sequences that no encoder makes (RFC 3629 § 3), which lax decoders read as ASCII. `next`: the byte
// after.
bool is_overlong(unsigned char lead, std::optional<unsigned char> next) {
  if (lead == 0xc0 || lead == 0xc1) return true;
  if (!next) return false;
  return (lead == 0xe0 && *next >= 0x80 && *next < 0xa0) || (lead == 0xf0 && *next >= 0x80 && *next < 0x90);
}

PathHazard raw_hazard(char c) {
  if (c == '\\') return PathHazard::backslash;
  if (c == '#') return PathHazard::fragment;
  if (c == '\0') return PathHazard::nul;
  return PathHazard::none;
}

PathHazard encoded_hazard(char byte) {
  if (byte == '/') return PathHazard::encoded_slash;
  return byte == '#' ? PathHazard::none : raw_hazard(byte);
}

// The byte at `at`, raw or encoded, where there is one.
std::optional<unsigned char> byte_at(std::string_view path, std::size_t at) {
  if (at >= path.size()) return std::nullopt;
  const std::optional<char> byte = path[at] == '%' ? decoded_at(path, at) : path[at];
  if (!byte) return std::nullopt;
  return static_cast<unsigned char>(*byte);
}

struct Scan {
  PathHazard hazard = PathHazard::none;
  bool needs_decoding = false;  // something unreserved is encoded, or a hexadecimal digit is in lower case
  bool needs_segments = false;  // "//", "/." at hand: dot segments are possible
};

Scan scan(std::string_view path) {
  Scan out;
  const auto note = [&out](PathHazard hazard) {
    if (out.hazard == PathHazard::none) out.hazard = hazard;
  };
  for (std::size_t i = 0; i < path.size(); ++i) {
    const char c = path[i];
    if (c == '/') {
      if (i + 1 < path.size() && (path[i + 1] == '/' || path[i + 1] == '.')) out.needs_segments = true;
    } else if (c == '%') {
      const std::optional<char> byte = decoded_at(path, i);
      if (!byte) {
        out.hazard = PathHazard::malformed_percent;
        return out;
      }
      note(encoded_hazard(*byte));
      if (is_overlong(static_cast<unsigned char>(*byte), byte_at(path, i + 3))) note(PathHazard::overlong);
      const bool lower = path[i + 1] >= 'a' || path[i + 2] >= 'a';
      if (is_unreserved(*byte) || lower) out.needs_decoding = true;
    } else {
      note(raw_hazard(c));
      if (is_overlong(static_cast<unsigned char>(c), byte_at(path, i + 1))) note(PathHazard::overlong);
    }
  }
  return out;
}

// REQUIRES: every "%" is followed by two hexadecimal digits.
std::string decode_unreserved(std::string_view path) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  out.reserve(path.size());
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] != '%') {
      out.push_back(path[i]);
      continue;
    }
    const char byte = *decoded_at(path, i);
    if (is_unreserved(byte)) {
      out.push_back(byte);
    } else {
      out.push_back('%');
      out.push_back(digits[static_cast<unsigned char>(byte) >> 4]);
      out.push_back(digits[static_cast<unsigned char>(byte) & 15]);
    }
    i += 2;
  }
  return out;
}

// RFC 3986 § 5.2.4 with slashes merged first. REQUIRES: begins with "/".
std::string remove_segments(std::string_view path) {
  std::string out;
  out.reserve(path.size());
  bool open = false;  // what was seen last leaves the path ending with "/"
  for (std::size_t begin = 1; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view segment = path.substr(begin, end - begin);
    open = segment.empty() || segment == "." || segment == "..";
    if (segment == "..") {
      const std::size_t parent = out.rfind('/');
      out.resize(parent == std::string::npos ? 0 : parent);
    } else if (!open) {
      out.append("/").append(segment);
    }
    begin = end + 1;
  }
  if (open || out.empty()) out.push_back('/');
  return out;
}

// Decodes until nothing is left to decode, in one pass: what a decoded byte completes is decoded again.
std::string decode_fully(std::string_view path) {
  std::string out;
  out.reserve(path.size());
  for (const char c : path) {
    out.push_back(c);
    while (out.size() >= 3 && out[out.size() - 3] == '%') {
      const std::optional<char> byte = decoded_at(out, out.size() - 3);
      if (!byte) break;
      out.resize(out.size() - 3);
      out.push_back(*byte);
    }
  }
  return out;
}

// As a lax application could see it: backslashes are slashes, and NUL is the end.
std::string decoded_reading(std::string_view path) {
  std::string out = decode_fully(path);
  out.resize(std::min(out.find('\0'), out.size()));
  std::replace(out.begin(), out.end(), '\\', '/');
  return out.starts_with('/') ? remove_segments(out) : out;
}

std::string without_parameters(std::string_view path) {
  std::string out;
  out.reserve(path.size());
  bool skip = false;
  for (const char c : path) {
    if (c == '/') skip = false;
    if (c == ';') skip = true;
    if (!skip) out.push_back(c);
  }
  return out.starts_with('/') ? remove_segments(out) : out;
}

std::string_view without_last_slashes(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  return path;
}

bool under(std::string_view path, std::string_view prefix) {
  return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

bool under_ignoring_case(std::string_view path, std::string_view prefix) {
  return path.size() >= prefix.size() && equals_ignore_case(path.substr(0, prefix.size()), prefix) &&
         (path.size() == prefix.size() || path[prefix.size()] == '/');
}

}  // namespace

bool fits_request_line(std::string_view target) {
  return std::all_of(target.begin(), target.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

std::string_view path_hazard_name(PathHazard hazard) {
  switch (hazard) {
    case PathHazard::none:
      return "no hazard";
    case PathHazard::encoded_slash:
      return "an encoded slash";
    case PathHazard::backslash:
      return "a backslash";
    case PathHazard::nul:
      return "a NUL byte";
    case PathHazard::malformed_percent:
      return "a malformed percent-encoding";
    case PathHazard::overlong:
      return "overlong UTF-8";
    case PathHazard::fragment:
      return "a fragment";
  }
  return "an unknown hazard";
}

NormalTarget normalise_target(std::string target) {
  NormalTarget out;
  out.path_bytes = std::min(target.find('?'), target.size());
  out.target = std::move(target);
  if (!out.target.starts_with('/')) return out;
  const Scan found = scan(out.path());
  out.hazard = found.hazard;
  if (found.hazard == PathHazard::malformed_percent) return out;
  if (!found.needs_decoding && !found.needs_segments) return out;
  std::string path = found.needs_decoding ? decode_unreserved(out.path()) : std::string(out.path());
  path = remove_segments(path);
  const std::size_t path_bytes = path.size();
  path.append(out.target, out.path_bytes);
  out.target = std::move(path);
  out.path_bytes = path_bytes;
  return out;
}

PathReadings::PathReadings(std::string_view normal_path) : normal_(normal_path) {
  const bool parameters = normal_.find(';') != std::string_view::npos;
  const bool encoded = normal_.find_first_of("%\\") != std::string_view::npos;
  if (parameters) add(without_parameters(normal_));
  if (!encoded) return;
  std::string decoded = decoded_reading(normal_);
  if (decoded.find(';') != std::string::npos) add(without_parameters(decoded));
  add(std::move(decoded));
}

void PathReadings::add(std::string reading) {
  for (std::size_t i = 0; i < count_; ++i) {
    if ((*this)[i] == reading) return;
  }
  extra_[count_ - 1] = std::move(reading);
  ++count_;
}

PathPattern::PathPattern(std::string_view rule_path) : prefix_(rule_path.ends_with("/*")) {
  if (prefix_) rule_path.remove_suffix(2);
  normal_ = normalise_target(std::string(rule_path)).target;
  decoded_ = decoded_reading(normal_);
  if (decoded_ == normal_) decoded_.clear();
}

bool PathPattern::matches(std::string_view reading) const {
  if (!reading.starts_with('/')) return false;
  if (prefix_) return under(reading, normal_) || (!decoded_.empty() && under(reading, decoded_));
  return reading == normal_ || (!decoded_.empty() && reading == decoded_);
}

bool PathPattern::matches_loosely(std::string_view reading) const {
  if (!reading.starts_with('/')) return false;
  const std::string_view path = without_last_slashes(reading);
  const auto fits = [this, path](std::string_view form) {
    const std::string_view rule = without_last_slashes(form);
    return prefix_ ? under_ignoring_case(path, rule) : equals_ignore_case(path, rule);
  };
  return fits(normal_) || (!decoded_.empty() && fits(decoded_));
}

}  // namespace weft::policy
