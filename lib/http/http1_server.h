// The HTTP/1 server connection; made by make_http1_server_connection() (server_connection.h has the
// contract).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "http/http1_connection.h"
#include "http/server_connection.h"

namespace weft::http {

class Http1ServerConnection final : public ServerConnection, private ServerExchange, private Http1Connection {
 public:
  Http1ServerConnection(io::Loop& loop, std::unique_ptr<io::Stream> stream, ServerConnectionHandler& handler,
                        const ServerOptions& options, std::string already_read);

  void drain() override;
  void refuse_new() override;
  void close(const Error& why) override { fail(why); }
  bool idle() const override { return phase_ == Phase::idle; }
  io::Stream& stream() override { return *stream_; }

 private:
  void send_head(const codec::ResponseHead& head, bool end) override;
  void send_body(std::string_view bytes) override { write_body(bytes); }
  void send_end(const codec::Headers& trailers) override { write_end(trailers); }
  void reset(const Error& why) override { fail(why); }
  void pause_body() override { paused_ = true; }
  void resume_body() override { unpause(); }
  bool writable() const override { return stream_->writable(); }
  void abandon_request() override;
  void close_after() override;

  void stream_failed(const Error& error) override;

  void head_arrived() override;
  void body_arrived(std::string_view bytes) override { exchange_->request_body(bytes); }
  void message_ended(const codec::Headers& trailers) override { exchange_->request_end(trailers); }
  void malformed(const codec::Http1Error& error) override { refuse(error); }
  bool can_read() const override;
  void reading_stopped(std::string_view rest) override;
  void peer_ended_in_order() override;
  void outgoing_drained() override;
  Error length_mismatch(std::string_view how) const override;
  bool exchange_complete() const override;
  void finish() override;
  void close_if_over() override;
  void abort_exchange() override;
  void tell_closed(const Error* error) override { owner_.connection_closed(error); }
  void touch() override;
  void deadline_reached() override;
  void stream_data(std::string_view bytes) override;
  void stream_drained() override;
  void stream_end_waits(std::uint64_t bytes_max) override;

  void send_interim(const codec::ResponseHead& head);
  bool frame_response(const codec::ResponseHead& head, bool end, codec::Http1Write& write);
  void release_held_request(bool tunnel);
  void next_request();
  void refuse(const codec::Http1Error& error);
  void begin_closing();

  ServerConnectionHandler& owner_;
  ServerOptions options_;
  ServerExchangeHandler* exchange_ = nullptr;
  std::string output_;
  std::size_t lingered_bytes_ = 0;
  bool http10_ = false;
  bool head_request_ = false;
  bool upgrade_ = false;
  bool last_ = false;  // no request is read behind this one
  bool head_timer_ = false;
  bool overtime_ = false;  // the answer is late, and so long was added again
};

}  // namespace weft::http
