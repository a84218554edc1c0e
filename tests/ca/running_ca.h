// The weft-ca binary as a child process, and a caller of it over real TLS and gRPC.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "codec/grpc_frame.h"
#include "http/grpc_client.h"
#include "io/process.h"
#include "io/uv_loop.h"
#include "tests/support/run_until.h"
#include "tests/support/stream_recorder.h"
#include "tests/support/temp_dir.h"
#include "tls/jwt.h"
#include "tls/tls_stream.h"

namespace weft::test {

// `weft local`'s part: makes tokens as Kubernetes does.
class TokenIssuer {
 public:
  std::string jwks() const { return tls::jwks_of(key_.public_key(), "k1").value(); }
  // A good token of default/a, bound to a pod, unless `claims` says otherwise.
  std::string token() const { return sign(claims()); }
  std::string sign(const std::string& claims) const { return tls::sign_jwt(claims, "k1", key_).value(); }
  static std::string claims(const std::string& audience = "weft-ca",
                            Duration lifetime = std::chrono::hours(1), bool pod = true);

 private:
  tls::PrivateKey key_ = tls::PrivateKey::generate().value();
};

// What CreateCertificate came back with.
struct CsrAnswer {
  codec::GrpcStatus status;
  std::vector<std::string> chain;
};

class RunningCa {
 public:
  // Starts `weft-ca` with these flags besides its addresses; ready when it says so, or over.
  RunningCa(io::UvLoop& loop, std::vector<std::string> flags);

  bool ready() const { return !address_.empty(); }
  std::optional<io::ExitStatus> exited() const { return exited_; }
  const std::string& output() const { return output_.data; }
  // The body of GET `path` on the metrics port, behind the status: "200 ready".
  std::string get(const std::string& path);
  void signal(int number) { process_->kill(number); }
  // False when it does not end.
  bool wait_for_exit();
  bool wait_for_output(const std::string& text);

  // Connects, verifying the CA by name and SPIFFE id against `roots_pem`, and asks for a certificate.
  Result<CsrAnswer> create(const std::string& roots_pem, const std::string& authorization,
                           const std::string& csr, std::int64_t validity_seconds = 0);

 private:
  std::string value_of(const std::string& key) const;

  io::UvLoop& loop_;
  SeededRandom random_{1};
  StreamRecorder output_;
  std::optional<io::ExitStatus> exited_;
  std::unique_ptr<io::Process> process_;
  std::string address_;
  std::string metrics_address_;
};

}  // namespace weft::test
