// The HTTP/2 client connection; made by make_http2_client_connection() (client_connection.h has the
// contract).
#pragma once

#include <memory>

#include "http/client_connection.h"
#include "http/http2_connection.h"

namespace weft::http {

class Http2ClientConnection final : public ClientConnection, private Http2Connection {
 public:
  Http2ClientConnection(io::Loop& loop, std::unique_ptr<io::Stream> stream, ClientConnectionHandler& handler,
                        const ClientOptions& options);

  ClientExchange& request(const codec::RequestHead& head, bool end, ClientExchangeHandler& handler) override;
  std::size_t requests_max() const override;
  bool requests_max_known() const override;
  bool ready() const override;
  bool available() const override;
  bool stalled() const override { return session().stalled(); }
  bool idle() const override { return streams_.empty(); }
  Duration idle_limit(Duration otherwise) const override { return otherwise; }
  void drain() override;
  void close(const Error& why) override { transport_.abort(why); }
  io::Stream& stream() override { return transport_.stream(); }
  bool told_to_go() const override { return used_ && told_to_go_; }

 private:
  class Exchange;

  void http2_request(codec::StreamId, codec::RequestHead&&, bool) override {}
  void http2_response(codec::StreamId id, codec::ResponseHead&& head, bool end) override;
  void http2_malformed(codec::StreamId id, const Error& why) override;
  void http2_settings() override;
  void http2_goaway(codec::StreamId last, codec::Http2Code code, std::string_view debug) override;
  void stream_gone() override;
  void send_waiting();
  void tell_room_later();
  bool closed_in_use(const Error& error) const;
  void given_up();
  void tell_closed(const Error* error) override { owner_.connection_closed(error); }

  ClientConnectionHandler& owner_;
  ClientOptions options_;
  codec::StreamId unsent_ = 0;  // counts down: ids of requests that the session has not taken
  bool used_ = false;           // it answered, at least once
  bool accused_ = false;        // by a GOAWAY that names an error
  MonotonicTime asked_at_{};    // the first request since the peer was last heard
  bool told_to_go_ = false;
  bool leaving_ = false;  // takes no more requests: drain(), or the peer's GOAWAY
};

}  // namespace weft::http
