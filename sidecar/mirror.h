// Copies of requests for weft.mesh/mirror. A copy is gathered beside its request, sent when that is whole,
// and its answer is read and thrown away: the caller never waits for it and never hears of it. Nor does
// anything that decides about real requests: no budget, no load of an endpoint, no ejection counts a copy.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/callback.h"
#include "http/exchange.h"
#include "http/pool.h"
#include "sidecar/gate.h"
#include "sidecar/worker_context.h"

namespace weft::sidecar {

class Shadows;

// One copy: owned by its exchange while it is gathered, then by the Shadows.
class Shadow final : http::ClientExchangeHandler {
 public:
  Shadow(Shadows& owner, const Admission& admission, const codec::RequestHead& head);
  ~Shadow();
  Shadow(const Shadow&) = delete;
  Shadow& operator=(const Shadow&) = delete;
  // A part of the body. False: it is too large to be copied, and this is to be dropped.
  bool add(std::string_view body);

 private:
  friend class Shadows;
  void send(bool bodyless, const codec::Headers& trailers);
  void acquired(Result<http::Lease> lease);
  void over(std::string_view outcome);
  void let_go();
  void response_head(codec::ResponseHead&& head, bool end) override;
  void response_body(std::string_view) override {}
  void response_end(const codec::Headers&) override {}
  void request_drained() override {}
  void exchange_finished() override;
  void exchange_aborted(const Error& error, http::Delivery delivery) override;

  Shadows& owner_;
  std::shared_ptr<const ServiceState> service_;
  policy::Protocol application_;
  codec::RequestHead head_;
  std::string body_;
  codec::Headers trailers_;
  bool bodyless_ = false;
  bool answered_ = false;
  bool counted_ = true;  // among those there is room for
  std::unique_ptr<http::PoolRequest> acquiring_;
  std::optional<http::Lease> lease_;
  http::ClientExchange* upstream_ = nullptr;
  std::unique_ptr<io::Timer> timeout_;
  Anchor anchor_;
};

// All copies of a worker; on its thread. Outlives the exchanges, and is outlived by the Upstreams.
class Shadows {
 public:
  explicit Shadows(WorkerContext& context) : context_(context) {}
  Shadows(const Shadows&) = delete;
  Shadows& operator=(const Shadows&) = delete;

  // Null: this request is not copied, for it was not drawn, or there is no room or nobody to copy it to.
  std::unique_ptr<Shadow> begin(const Admission& admission, const codec::RequestHead& head);
  // The request is whole. `bodyless`: it ended with its head.
  void send(std::unique_ptr<Shadow> shadow, bool bodyless, const codec::Headers& trailers);

 private:
  friend class Shadow;
  void report(std::string_view outcome);
  void over(Shadow& shadow, std::string_view outcome);

  WorkerContext& context_;
  std::size_t count_ = 0;  // gathered or under way
  std::unordered_map<Shadow*, std::unique_ptr<Shadow>> sent_;
};

}  // namespace weft::sidecar
