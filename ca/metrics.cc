#include "ca/metrics.h"

#include "base/text.h"

namespace weft::ca {
namespace {

std::int64_t seconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

}  // namespace

std::string Metrics::render() const {
  std::string out;
  const auto head = [&](std::string_view name, std::string_view type, std::string_view help) {
    out += str_cat("# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n");
  };
  const auto one = [&](std::string_view name, std::string_view type, std::string_view help, auto value) {
    head(name, type, help);
    out += str_cat(name, " ", value, "\n");
  };
  one("weft_ca_issued_total", "counter", "Certificates signed.", issued);
  head("weft_ca_refused_total", "counter", "Requests for a certificate that were refused, by reason.");
  for (std::size_t i = 0; i < reasons; ++i) {
    out += str_cat("weft_ca_refused_total{reason=\"", reason_name(static_cast<Reason>(i)), "\"} ", refused[i],
                   "\n");
  }
  one("weft_ca_handshakes_failed_total", "counter", "TLS handshakes that came to nothing.",
      handshakes_failed);
  one("weft_ca_jwks_reloads_failed_total", "counter", "Times the file of token keys could not be used.",
      jwks_reloads_failed);
  one("weft_ca_token_keys", "gauge", "Keys that tokens are checked with.", token_keys);
  one("weft_ca_connections", "gauge", "Open connections.", connections);
  one("weft_ca_signing_certificate_expiry_seconds", "gauge",
      "When the signing certificate or its root expires, in seconds since 1970.", seconds(signing_not_after));
  one("weft_ca_serving_certificate_expiry_seconds", "gauge",
      "When the CA's own serving certificate expires, in seconds since 1970.", seconds(serving_not_after));
  return out;
}

}  // namespace weft::ca
