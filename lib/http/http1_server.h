// The HTTP/1 server connection; made by make_http1_server_connection() (server_connection.h has the
// contract).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "codec/http1.h"
#include "codec/http1_serializer.h"
#include "http/http1_deadline.h"
#include "http/server_connection.h"

namespace weft::http {

class Http1ServerConnection final : public ServerConnection,
                                    private ServerExchange,
                                    private io::StreamHandler {
 public:
  Http1ServerConnection(io::Loop& loop, std::unique_ptr<io::Stream> stream, ServerConnectionHandler& handler,
                        const ServerOptions& options, std::string already_read);

  void drain() override;
  void close(const Error& why) override { fail(why); }
  bool idle() const override { return phase_ == Phase::idle; }
  io::Stream& stream() override { return *stream_; }

 private:
  enum class Phase : std::uint8_t {
    idle,      // waits for a request head, or has a part of it
    exchange,  // from the head to exchange_finished or exchange_aborted
    closing,   // our last byte is written; waits for the peer's
    closed,
  };
  enum class Request : std::uint8_t {
    body,
    held,  // CONNECT or Upgrade: what follows depends on the answer
    tunnel,
    complete,
  };
  enum class Response : std::uint8_t { waiting, length, chunked, until_close, no_body, tunnel, complete };

  void send_head(const codec::ResponseHead& head, bool end) override;
  void send_body(std::string_view bytes) override;
  void send_end(const codec::Headers& trailers) override;
  void reset(const Error& why) override { fail(why); }
  void pause_body() override { paused_ = true; }
  void resume_body() override;
  bool writable() const override { return stream_->writable(); }
  void close_after() override;

  void stream_data(std::string_view bytes) override;
  void stream_end() override;
  void stream_drained() override;
  void stream_failed(const Error& error) override;

  bool can_read() const;
  void read(std::string_view bytes);
  void read_pending();
  void read_later();
  void request_begins();
  void request_ends();
  void peer_ended_in_order();
  void send_interim(const codec::ResponseHead& head);
  bool frame_response(const codec::ResponseHead& head, bool end, codec::Http1Write& write);
  void release_held_request(bool tunnel);
  void finish_if_complete();
  void finish();
  void next_request();
  void refuse(const codec::Http1Error& error);
  void begin_closing();
  void end_stream();
  void close_when_over();
  void fail(const Error& error);
  void die();
  void closed(const Error* error);
  void touch();
  void deadline_reached();

  io::Loop& loop_;
  std::unique_ptr<io::Stream> stream_;
  ServerConnectionHandler& owner_;
  ServerOptions options_;
  codec::Http1Parser parser_{codec::Http1Parser::Role::request};
  ServerExchangeHandler* exchange_ = nullptr;
  std::string input_;  // read, and not taken yet; the stream is paused while there is some
  std::string output_;
  std::uint64_t response_remaining_ = 0;
  Error failure_;
  Phase phase_ = Phase::idle;
  Request request_ = Request::complete;
  Response response_ = Response::complete;
  bool http10_ = false;
  bool head_request_ = false;
  bool connect_ = false;
  bool upgrade_ = false;
  bool last_ = false;  // no request is read behind this one
  bool draining_ = false;
  bool paused_ = false;
  bool peer_ended_ = false;
  bool ended_ = false;     // end() was called
  bool end_sent_ = false;  // and has left
  bool head_timer_ = false;
  bool read_scheduled_ = false;
  bool finish_scheduled_ = false;
  bool failing_ = false;
  Deadline deadline_;
  Anchor anchor_;
};

}  // namespace weft::http
