#include "cli/local/admission.h"

#include <utility>

#include "base/text.h"
#include "cli/local/process.h"
#include "http/dial.h"
#include "http/simple_client.h"
#include "injector/admission_review.h"
#include "injector/json_patch.h"
#include "tls/certificate.h"
#include "tls/context.h"

namespace weft::local {
namespace {

constexpr std::size_t bundle_bytes_max = 256 * 1024;

class Call final : public AdmissionCall {
 public:
  Call(io::Loop& loop, const http::DialTarget& target, http::FetchRequest request, PodToAdmit pod,
       Function<void(Result<std::string>)> done)
      : pod_(std::move(pod)), done_(std::move(done)) {
    fetch_ = http::fetch(
        loop,
        [&loop, target](http::DialDone connected) { return http::dial(loop, target, std::move(connected)); },
        std::move(request), [this](Result<http::FetchReply> reply) { answered(std::move(reply)); });
  }

 private:
  void answered(Result<http::FetchReply> reply) {
    Result<std::string> admitted =
        reply.and_then([this](const http::FetchReply& got) { return patched(got); });
    if (!admitted) admitted = fail(admitted.error().in("injector"));
    std::exchange(done_, nullptr)(std::move(admitted));
  }

  Result<std::string> patched(const http::FetchReply& reply) const {
    if (reply.head.status != 200) {
      return fail(Code::unavailable,
                  str_cat("HTTP status ", reply.head.status, ": ", printable(reply.body, 300)));
    }
    WEFT_ASSIGN(const std::string patch, injector::patch_of_answer(reply.body, pod_.request_uid));
    if (patch.empty()) return pod_.json;
    return injector::apply_json_patch(pod_.json, patch);
  }

  PodToAdmit pod_;
  Function<void(Result<std::string>)> done_;
  std::unique_ptr<http::Fetch> fetch_;
};

}  // namespace

Result<std::unique_ptr<AdmissionCall>> call_injector(io::Loop& loop, const Injector& injector, PodToAdmit pod,
                                                     Function<void(Result<std::string>)> done) {
  WEFT_ASSIGN(const std::string pem, read_file(injector.bundle_file, bundle_bytes_max));
  WEFT_ASSIGN(auto bundle, tls::TrustBundle::from_pem(pem, "cluster.local"));
  http::DialTarget target;
  WEFT_ASSIGN(target.context, tls::Context::client(nullptr, std::move(bundle)));
  target.address = injector.address;
  target.server_name = injector.server_name;
  target.alpn = {"http/1.1"};
  http::FetchRequest request;
  WEFT_ASSIGN(request.body, injector::make_admission_review(
                                {pod.request_uid, "", "Pod", "CREATE", pod.name_space, "", pod.json}));
  request.head.method = "POST";
  request.head.target = "/inject?timeout=10s";
  request.head.authority = str_cat(injector.server_name, ":", injector.address.port);
  request.head.headers.add("content-type", "application/json");
  return std::make_unique<Call>(loop, target, std::move(request), std::move(pod), std::move(done));
}

}  // namespace weft::local
