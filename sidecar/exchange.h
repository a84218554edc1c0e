// One HTTP request on its way: from a downstream exchange to an endpoint of a Service, with tries, time-outs
// and back-pressure, and the response back. The same for both directions; what differs (routing,
// authorisation) has been decided by the Gate that admitted it. Owned by its HttpDownstream, on the worker's
// thread. exchange.cc makes the tries, exchange_relay.cc carries bodies and responses between the two sides.
//
//   (held up by a fault →) waiting (for the route's endpoint) → connecting → sending/receiving → finished
//                             ↑______________ backing_off ______________|
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/callback.h"
#include "http/exchange.h"
#include "http/pool.h"
#include "policy/balance.h"
#include "policy/endpoint_state.h"
#include "policy/retry.h"
#include "policy/route.h"
#include "policy/service_load.h"
#include "sidecar/extended_connect.h"
#include "sidecar/gate.h"
#include "sidecar/records.h"
#include "sidecar/time_limit.h"
#include "sidecar/worker_context.h"

namespace weft::sidecar {

class Exchange;
class Shadow;

class ExchangeOwner {
 public:
  // The exchange is over and reported; the owner deletes it (delete_later).
  virtual void exchange_over(Exchange& exchange) = 0;

 protected:
  ~ExchangeOwner() = default;
};

class Exchange final : public http::ServerExchangeHandler {
 public:
  // `end`: the request has no body. Begins at once.
  Exchange(WorkerContext& context, ExchangeOwner& owner, http::ServerExchange& downstream,
           codec::RequestHead head, bool end, Admission admission, RequestRecord record);
  ~Exchange();
  // An upgraded or CONNECT exchange, that carries raw bytes or will if its answer says so.
  bool is_tunnel() const { return downstream_ != nullptr && (tunnel_ || (upgrading_ && !response_started_)); }
  const codec::RequestHead& request() const { return head_; }  // as admitted
  bool upstream_meshed() const { return upstream_meshed_; }
  // Ends it, without an answer, at the end of the turn; `reason` is noted.
  void revoke(std::string_view reason);

 private:
  enum class State { connecting, active, backing_off, finished };

  // ServerExchangeHandler
  void request_body(std::string_view bytes) override;
  void request_end(const codec::Headers& trailers) override;
  void response_drained() override;
  void caller_ended() override;
  void exchange_finished() override;
  void exchange_aborted(const Error& error) override;
  // The upstream's events, under names of their own.
  struct UpstreamSide final : http::ClientExchangeHandler {
    explicit UpstreamSide(Exchange& owner) : exchange(owner) {}
    void response_head(codec::ResponseHead&& head, bool end) override {
      exchange.response_head(std::move(head), end);
    }
    void response_body(std::string_view bytes) override { exchange.response_body(bytes); }
    void response_end(const codec::Headers& trailers) override { exchange.response_end(trailers); }
    void request_drained() override { exchange.request_drained(); }
    void exchange_finished() override { exchange.upstream_finished(); }
    void exchange_aborted(const Error& error, http::Delivery delivery) override {
      exchange.upstream_aborted(error, delivery);
    }
    Exchange& exchange;
  };
  void response_head(codec::ResponseHead&& head, bool end);
  void response_body(std::string_view bytes);
  void response_end(const codec::Headers& trailers);
  void request_drained();
  void upstream_finished();
  void upstream_aborted(const Error& error, http::Delivery delivery);

  void begin();
  void choose_route();
  void take_route(const policy::RouteChoice& route);
  void begin_try();
  void acquired(Result<http::Lease> lease);
  void overloaded(std::string_view text);
  void send_request();
  LocalReply undelivered_reply(const Error& error) const;
  void try_failed(const policy::TryOutcome& outcome, std::string_view outcome_text,
                  const LocalReply& otherwise);
  bool try_again(const policy::TryOutcome& outcome, std::string_view outcome_text);
  void report_health(policy::Health health);
  void end_try_record(std::string_view outcome);
  void drop_upstream();
  void relay_interim(codec::ResponseHead&& head);
  void deliver_head(codec::ResponseHead&& head, bool end);
  void clean_response(codec::Headers& headers) const;
  void tell_attempts(codec::Headers& headers) const;
  void give_up_replay();
  void refuse(const LocalReply& reply);
  void cut_response(const LocalReply& reply);
  void timed_out();
  void per_try_timed_out();
  bool caller_is_slow() const;
  void inject_fault(int status);
  void over();

  WorkerContext& context_;
  ExchangeOwner& owner_;
  http::ServerExchange* downstream_;  // null once it has finished or aborted
  codec::RequestHead head_;
  Admission admission_;
  RequestRecord record_;
  TimeLimit time_limit_;
  MonotonicTime started_;
  State state_ = State::connecting;

  // Request body: what may have to be sent again, up to limits::retry_buffer_bytes_max.
  std::string replay_;
  bool replayable_ = true;
  bool request_ended_ = false;
  bool caller_ended_ = false;  // and may be gone
  bool bodyless_ = false;
  codec::Headers request_trailers_;
  std::unique_ptr<Shadow> shadow_;  // the copy for weft.mesh/mirror, while it is gathered

  // The present try.
  policy::RouteChoice route_;
  policy::TriedEndpoints tried_;
  std::optional<policy::EndpointChoice> endpoint_;
  policy::ActiveRequest active_;
  policy::Place place_;  // among the requests under way
  std::unique_ptr<http::PoolRequest> acquiring_;
  std::optional<http::Lease> lease_;
  http::ClientExchange* upstream_ = nullptr;
  UpstreamSide upstream_side_{*this};
  bool upstream_meshed_ = false;
  bool upgrading_ = false;                // asks for a tunnel
  std::unique_ptr<TunnelBridge> bridge_;  // where the upstream speaks the other version
  bool tunnel_ = false;                   // and got one
  MonotonicTime try_started_;

  policy::BudgetUse budget_;
  policy::RetryState retry_;
  unsigned interim_heads_ = 0;  // 1xx that came
  bool interim_sent_ = false;   // one went downstream
  bool response_started_ = false;
  bool response_ended_ = false;
  std::unique_ptr<io::Timer> timeout_;
  std::unique_ptr<io::Timer> per_try_timeout_;
  std::unique_ptr<io::Timer> back_off_;
  std::unique_ptr<io::Timer> fault_delay_;
  Anchor anchor_;
};

}  // namespace weft::sidecar
