// The HTTP/1 client connection; made by make_http1_client_connection() (client_connection.h has the
// contract).
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "http/client_connection.h"
#include "http/http1_connection.h"

namespace weft::http {

class Http1ClientConnection final : public ClientConnection, private ClientExchange, private Http1Connection {
 public:
  Http1ClientConnection(io::Loop& loop, std::unique_ptr<io::Stream> stream, ClientConnectionHandler& handler,
                        const ClientOptions& options);

  ClientExchange& request(const codec::RequestHead& head, bool end, ClientExchangeHandler& handler) override;
  std::size_t requests_max() const override { return 1; }
  bool ready() const override;
  bool available() const override;
  bool idle() const override { return phase_ == Phase::idle; }
  Duration idle_limit(Duration otherwise) const override;
  bool raced() const override { return raced_; }
  void drain() override;
  void close(const Error& why) override { fail(why); }
  io::Stream& stream() override { return *stream_; }

 private:
  void send_body(std::string_view bytes) override { write_body(bytes); }
  void send_end(const codec::Headers& trailers) override { write_end(trailers); }
  void cancel() override;
  void pause_body() override { paused_ = true; }
  void resume_body() override { unpause(); }
  bool writable() const override { return outgoing_ != Outgoing::held && stream_->writable(); }

  void stream_data(std::string_view bytes) override;
  void stream_failed(const Error& error) override;

  void head_arrived() override;
  void body_arrived(std::string_view bytes) override { exchange_->response_body(bytes); }
  void message_ended(const codec::Headers& trailers) override { exchange_->response_end(trailers); }
  void malformed(const codec::Http1Error& error) override;
  void reading_stopped(std::string_view rest) override;
  void peer_ended_in_order() override;
  void write(std::string_view bytes) override;
  void outgoing_drained() override;
  Error length_mismatch(std::string_view how) const override;
  bool exchange_complete() const override;
  void finish() override;
  void close_if_over() override;
  void abort_exchange() override;
  void tell_closed(const Error* error) override { owner_.connection_closed(error); }
  void touch() override;
  void deadline_reached() override;

  void refuse_request();
  bool frame_request(const codec::RequestHead& head, bool end, codec::Http1Write& write);
  bool nothing_left_us() const;
  Delivery delivery() const;
  void open_tunnel(codec::ResponseHead&& head);

  ClientConnectionHandler& owner_;
  ClientOptions options_;
  ClientExchangeHandler* exchange_ = nullptr;
  std::size_t queued_ = 0;  // as long as nothing of this request has left
  MonotonicTime asked_at_{};
  bool left_ = false;  // some of this request may have been handed to the kernel
  std::optional<Duration> keep_alive_timeout_;
  bool response_was_tunnel_ = false;
  bool used_ = false;      // an exchange has finished
  bool answered_ = false;  // some byte came in the present one
  bool refused_ = false;   // the peer closed in a way that says that it read nothing
  bool raced_ = false;
  bool reusable_ = true;
};

}  // namespace weft::http
