// The API server's question and our answer (admission.k8s.io/v1 AdmissionReview), as values and as JSON text.
// Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace weft::injector {

inline constexpr std::size_t admission_review_bytes_max = 4 * 1024 * 1024;

struct AdmissionRequest {
  std::string uid;
  std::string group;      // of the object's kind; "" is the core group
  std::string kind;       // "Pod"
  std::string operation;  // "CREATE"
  std::string name_space;
  std::string name;    // empty where the API server makes one up
  std::string object;  // JSON text
};

// Errors name the JSON path: "request.uid: missing".
Result<AdmissionRequest> parse_admission_review(std::string_view body);

// `patch`: RFC 6902 operations; empty: nothing to change. Warnings are shown to whoever runs kubectl.
std::string allow_answer(std::string_view uid, std::string_view patch,
                         const std::vector<std::string>& warnings);
std::string refuse_answer(std::string_view uid, std::string_view message);

// A question, as the API server asks it: for `weft local` and tests. `object` is JSON text.
Result<std::string> make_admission_review(const AdmissionRequest& request);
// What an answer says, for the same: the patch to apply (may be empty). Errors: refused, with the answer's
// own message; invalid.
Result<std::string> patch_of_answer(std::string_view body, std::string_view uid);

}  // namespace weft::injector
