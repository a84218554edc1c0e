// The stand-in for the API server's admission: asks the injector, over HTTPS and with a real AdmissionReview,
// what a new pod is to look like, and applies its patch. Lives on the loop's thread.
#pragma once

#include <memory>
#include <string>

#include "base/address.h"
#include "base/callback.h"
#include "base/result.h"
#include "io/loop.h"

namespace weft::local {

// A call under way; destroying it cancels.
class AdmissionCall {
 public:
  virtual ~AdmissionCall() = default;
};

struct Injector {
  Address address;
  std::string server_name;  // its certificate's DNS name
  std::string bundle_file;  // roots that it is verified with, PEM; read anew for every call
};

struct PodToAdmit {
  std::string json;
  std::string name_space;
  std::string request_uid;
};

// `done` runs exactly once, never inline, with the JSON of the pod to make. refused: the webhook said no.
Result<std::unique_ptr<AdmissionCall>> call_injector(io::Loop& loop, const Injector& injector, PodToAdmit pod,
                                                     Function<void(Result<std::string>)> done);

}  // namespace weft::local
