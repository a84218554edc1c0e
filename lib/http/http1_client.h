// The HTTP/1 client connection; made by make_http1_client_connection() (client_connection.h has the
// contract).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "codec/http1.h"
#include "codec/http1_serializer.h"
#include "http/client_connection.h"
#include "http/http1_deadline.h"

namespace weft::http {

class Http1ClientConnection final : public ClientConnection,
                                    private ClientExchange,
                                    private io::StreamHandler {
 public:
  Http1ClientConnection(io::Loop& loop, std::unique_ptr<io::Stream> stream, ClientConnectionHandler& handler,
                        const ClientOptions& options);

  ClientExchange& request(const codec::RequestHead& head, bool end, ClientExchangeHandler& handler) override;
  bool available() const override;
  bool idle() const override { return phase_ == Phase::idle; }
  Duration idle_limit(Duration otherwise) const override;
  void drain() override;
  void close(const Error& why) override { fail(why); }
  io::Stream& stream() override { return *stream_; }

 private:
  enum class Phase : std::uint8_t { idle, exchange, closing, closed };
  enum class Request : std::uint8_t {
    length,
    chunked,
    held,  // CONNECT or Upgrade: nothing is sent before the answer
    tunnel,
    complete,
  };
  enum class Response : std::uint8_t { message, tunnel, complete };

  void send_body(std::string_view bytes) override;
  void send_end(const codec::Headers& trailers) override;
  void cancel() override;
  void pause_body() override { paused_ = true; }
  void resume_body() override;
  bool writable() const override { return request_ != Request::held && stream_->writable(); }

  void stream_data(std::string_view bytes) override;
  void stream_end() override;
  void stream_drained() override;
  void stream_failed(const Error& error) override;

  void refuse_request();
  bool frame_request(const codec::RequestHead& head, bool end, codec::Http1Write& write);
  void write(std::string_view bytes);
  bool nothing_left_us() const;
  bool can_read() const;
  void read(std::string_view bytes);
  void read_pending();
  void read_later();
  void response_begins();
  void open_tunnel(codec::ResponseHead&& head);
  void response_ends();
  void peer_ended_in_order();
  void finish_if_complete();
  void finish();
  void end_stream();
  void close_if_sent();
  void deadline_reached();
  void fail(const Error& error);
  void die();
  void closed(const Error* error);
  void touch();

  io::Loop& loop_;
  std::unique_ptr<io::Stream> stream_;
  ClientConnectionHandler& owner_;
  ClientOptions options_;
  codec::Http1Parser parser_{codec::Http1Parser::Role::response};
  ClientExchangeHandler* exchange_ = nullptr;
  std::string input_;  // read, and not taken yet; the stream is paused while there is some
  std::uint64_t request_remaining_ = 0;
  std::size_t queued_ = 0;  // as long as nothing of this request has left
  bool left_ = false;       // some of this request may have been handed to the kernel
  std::optional<Duration> keep_alive_timeout_;
  Error failure_;
  Phase phase_ = Phase::idle;
  Request request_ = Request::complete;
  Response response_ = Response::complete;
  bool connect_ = false;
  bool response_was_tunnel_ = false;
  bool ended_ = false;     // end() was called
  bool end_sent_ = false;  // and has left
  bool reusable_ = true;
  bool draining_ = false;
  bool paused_ = false;
  bool peer_ended_ = false;
  bool read_scheduled_ = false;
  bool finish_scheduled_ = false;
  bool failing_ = false;
  Deadline deadline_;
  Anchor anchor_;
};

}  // namespace weft::http
