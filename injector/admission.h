// The decision behind POST /inject: an AdmissionReview goes in, another comes out. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "injector/pod_patch.h"

namespace weft::injector {

struct Admission {
  enum class Outcome { injected, skipped, refused };
  Outcome outcome = Outcome::skipped;
  std::string pod;     // "namespace/name", for the log
  std::string reason;  // why it was skipped or refused
  std::string answer;  // the AdmissionReview to send
};

std::string_view outcome_name(Admission::Outcome outcome);

// Errors: `body` is no AdmissionReview that could be answered (HTTP 400).
Result<Admission> admit(std::string_view body, const InjectorConfig& config);

}  // namespace weft::injector
