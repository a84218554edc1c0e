#include "tls/boring.h"

#include "base/text.h"

namespace weft::tls {

std::string take_library_error() {
  const std::uint32_t code = ERR_peek_last_error();
  ERR_clear_error();
  if (code == 0) return "no reason given";
  const char* reason = ERR_reason_error_string(code);
  return reason == nullptr ? "unknown reason" : reason;
}

Error library_error(std::string_view doing) {
  return Error{Code::internal, str_cat(doing, ": ", take_library_error())};
}

std::string bio_text(BIO* memory) {
  const std::uint8_t* data = nullptr;
  std::size_t size = 0;
  if (BIO_mem_contents(memory, &data, &size) != 1) return {};
  return std::string(view_of(data, size));
}

Result<WallTime> from_asn1(const ASN1_TIME* time) {
  bssl::UniquePtr<ASN1_TIME> epoch(ASN1_TIME_set(nullptr, 0));
  int days = 0;
  int seconds = 0;
  if (time == nullptr || !epoch || ASN1_TIME_diff(&days, &seconds, epoch.get(), time) != 1) {
    ERR_clear_error();
    return fail(Code::invalid, "a time in the certificate is malformed");
  }
  // 9999-12-31, "no expiry" (RFC 5280 § 4.1.2.5), does not fit into nanoseconds since 1970.
  constexpr int days_max = 100000;
  if (days > days_max) days = days_max;
  if (days < -days_max) days = -days_max;
  return WallTime(std::chrono::hours(24) * days + std::chrono::seconds(seconds));
}

bool to_asn1(ASN1_TIME* out, WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
  return ASN1_TIME_set(out, seconds) != nullptr;
}

}  // namespace weft::tls
