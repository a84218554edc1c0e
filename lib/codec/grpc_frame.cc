#include "codec/grpc_frame.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/text.h"

namespace weft::codec {
namespace {

constexpr std::array<std::string_view, 17> code_names = {
    "OK",        "CANCELLED",       "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS",  "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",    "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED",
};

// A message's memory grows with what has arrived, not with what its prefix promises.
constexpr std::size_t reserve_bytes_max = 64 * 1024;

constexpr std::int64_t timeout_value_max = 99'999'999;  // eight digits

struct TimeoutUnit {
  char letter;
  std::int64_t nanoseconds;
};
constexpr std::array<TimeoutUnit, 6> timeout_units = {{
    {'n', 1},
    {'u', 1'000},
    {'m', 1'000'000},
    {'S', 1'000'000'000},
    {'M', 60'000'000'000},
    {'H', 3'600'000'000'000},
}};

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string_view grpc_code_name(GrpcCode code) {
  const auto index = static_cast<std::size_t>(code);
  return index < code_names.size() ? code_names[index] : "UNKNOWN";
}

std::optional<GrpcCode> parse_grpc_code(std::string_view text) {
  const auto number = parse_number<std::uint32_t>(text);
  if (!number) return std::nullopt;
  return *number < code_names.size() ? static_cast<GrpcCode>(*number) : GrpcCode::unknown;
}

std::string GrpcStatus::to_string() const {
  return message.empty() ? std::string(grpc_code_name(code)) : str_cat(grpc_code_name(code), ": ", message);
}

GrpcCode grpc_code_of_http_status(int status) {
  switch (status) {
    case 400:
      return GrpcCode::internal;
    case 401:
      return GrpcCode::unauthenticated;
    case 403:
      return GrpcCode::permission_denied;
    case 404:
      return GrpcCode::unimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return GrpcCode::unavailable;
    default:
      return GrpcCode::unknown;
  }
}

GrpcCode grpc_code_of_reset(std::uint32_t http2_code) {
  switch (http2_code) {
    case 7:  // REFUSED_STREAM
      return GrpcCode::unavailable;
    case 8:  // CANCEL
      return GrpcCode::cancelled;
    case 11:  // ENHANCE_YOUR_CALM
      return GrpcCode::resource_exhausted;
    case 12:  // INADEQUATE_SECURITY
      return GrpcCode::permission_denied;
    default:
      return GrpcCode::internal;
  }
}

std::string encode_grpc_message(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte <= 0x7e && c != '%') {
      out.push_back(c);
    } else {
      out.push_back('%');
      out.push_back(digits[byte >> 4]);
      out.push_back(digits[byte & 15]);
    }
  }
  return out;
}

std::string decode_grpc_message(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low < 0) {
      out.push_back(text[i]);
    } else {
      out.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    }
  }
  return out;
}

std::string format_grpc_timeout(Duration timeout) {
  const std::int64_t nanoseconds = std::max<std::int64_t>(timeout.count(), 0);
  for (const TimeoutUnit& unit : timeout_units) {
    const std::int64_t value = nanoseconds / unit.nanoseconds + (nanoseconds % unit.nanoseconds != 0 ? 1 : 0);
    if (value <= timeout_value_max) return str_cat(value, unit.letter);
  }
  return str_cat(timeout_value_max, 'H');
}

std::optional<Duration> parse_grpc_timeout(std::string_view text) {
  if (text.size() < 2 || text.size() > 9) return std::nullopt;
  const auto value = parse_number<std::uint32_t>(text.substr(0, text.size() - 1));
  if (!value) return std::nullopt;
  for (const TimeoutUnit& unit : timeout_units) {
    if (unit.letter != text.back()) continue;
    constexpr std::int64_t longest = Duration::max().count();
    // Saturates: eight digits of hours are more than a Duration holds.
    return Duration(*value > longest / unit.nanoseconds ? longest : *value * unit.nanoseconds);
  }
  return std::nullopt;
}

void write_grpc_frame(std::string& out, std::string_view message) {
  WEFT_CHECK(message.size() <= 0xffffffffu);
  out.reserve(out.size() + 5 + message.size());
  out.push_back('\0');  // not compressed
  for (int shift = 24; shift >= 0; shift -= 8)
    out.push_back(static_cast<char>(message.size() >> shift & 0xff));
  out.append(message);
}

Result<std::size_t> GrpcFrameReader::feed(std::string_view bytes) {
  std::size_t used = 0;
  if (prefix_bytes_ < prefix_size) {
    used = std::min(prefix_size - prefix_bytes_, bytes.size());
    if (used > 0) std::memcpy(prefix_ + prefix_bytes_, bytes.data(), used);
    prefix_bytes_ += used;
    if (prefix_bytes_ > 0 && prefix_[0] != 0) {
      return fail(Code::invalid, prefix_[0] == 1
                                     ? "the message is compressed, but no compression was offered"
                                     : "the message prefix is not gRPC's: its first byte must be 0");
    }
    if (prefix_bytes_ < prefix_size) return used;
    expected_bytes_ = static_cast<std::size_t>(prefix_[1]) << 24 |
                      static_cast<std::size_t>(prefix_[2]) << 16 | static_cast<std::size_t>(prefix_[3]) << 8 |
                      prefix_[4];
    if (expected_bytes_ > message_bytes_max_) {
      return fail(Code::limit, str_cat("a message of ", expected_bytes_, " bytes is above the limit of ",
                                       message_bytes_max_));
    }
    message_.reserve(std::min(expected_bytes_, reserve_bytes_max));
  }
  const std::size_t more = std::min(expected_bytes_ - message_.size(), bytes.size() - used);
  message_.append(bytes.substr(used, more));
  return used + more;
}

std::string GrpcFrameReader::take() {
  WEFT_CHECK(message_ready());
  prefix_bytes_ = 0;
  expected_bytes_ = 0;
  return std::exchange(message_, std::string());
}

}  // namespace weft::codec
