// The HTTP/2 server connection; made by make_http2_server_connection() (server_connection.h has the
// contract).
#pragma once

#include <memory>
#include <string>

#include "http/http2_connection.h"
#include "http/server_connection.h"

namespace weft::http {

class Http2ServerConnection final : public ServerConnection, private Http2Connection {
 public:
  Http2ServerConnection(io::Loop& loop, std::unique_ptr<io::Stream> stream, ServerConnectionHandler& handler,
                        const ServerOptions& options, std::string already_read);

  void drain() override { shut_down(); }
  void refuse_new() override;
  void close(const Error& why) override { transport_.abort(why); }
  bool idle() const override { return streams_.empty(); }
  io::Stream& stream() override { return transport_.stream(); }

 private:
  class Exchange;

  void http2_request(codec::StreamId id, codec::RequestHead&& head, bool end) override;
  void http2_response(codec::StreamId, codec::ResponseHead&&, bool) override {}
  void http2_refused(std::string_view why) override;
  void http2_goaway(codec::StreamId, codec::Http2Code, std::string_view) override {}
  void stream_gone() override {}
  void tell_closed(const Error* error) override { owner_.connection_closed(error); }
  void refuse(codec::StreamId id, const Error& error);

  ServerConnectionHandler& owner_;
  ServerOptions options_;
};

}  // namespace weft::http
