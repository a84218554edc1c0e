// Private to lib/io. A Stream over a socket: TCP or Unix; libuv's TCP handle is a plain stream socket to it.
#pragma once

#include <optional>

#include <uv.h>

#include "base/buffer.h"
#include "io/stream.h"
#include "io/uv_handle.h"
#include "io/uv_loop.h"

namespace weft::io {

class UvStream final : public Stream, private EndOfTurn {
 public:
  // `socket` is open and connected.
  UvStream(UvLoop& loop, UvHandle<uv_tcp_t> socket, const Address& local, const Address& peer);
  // Takes a connected descriptor, which it closes also when it fails.
  static Result<std::unique_ptr<UvStream>> adopt(UvLoop& loop, int descriptor, const Address& peer);
  ~UvStream() override;

  void start(StreamHandler& handler) override;
  void pause() override;
  void resume() override;
  void detach() override;
  void write(std::string_view bytes) override;
  void end() override;
  void reset() override;
  std::size_t queued_bytes() const override;
  const Address& local_address() const override { return local_; }
  const Address& peer_address() const override { return peer_; }
  Result<Address> original_destination() const override;
  bool idle_and_open() const override;

 private:
  friend class PausedStreams;
  struct WriteRequest;

  void end_turn() override;
  void update_reading();
  void on_read(ssize_t count, const char* bytes);
  void on_written(int status);
  void peer_left(int events);
  std::size_t try_write(std::string_view bytes);
  bool send_queued();
  void shut_down();
  void write_failed(int status);
  void report_failure();
  int descriptor() const;
  int pending_error() const;
  uv_stream_t* raw() const { return reinterpret_cast<uv_stream_t*>(socket_.get()); }

  UvLoop& loop_;
  UvHandle<uv_tcp_t> socket_;
  StreamHandler* handler_ = nullptr;
  Buffer outgoing_;               // not yet handed to libuv
  std::optional<Error> failure_;  // to be reported
  Address local_;
  Address peer_;
  std::size_t paused_at_ = 0;  // place in PausedStreams::entries_, from 1; 0: not there
  bool paused_ = true;
  bool reading_ = false;
  bool read_ended_ = false;  // the peer's FIN, or an error, was seen
  bool end_waits_ = false;   // stream_end_waits is owed
  bool in_flight_ = false;   // a WriteRequest is with libuv
  bool ending_ = false;      // end() was called
  bool shut_down_ = false;   // FIN was asked for
  bool above_high_ = false;  // stream_drained is owed
  bool failed_ = false;      // stream_failed was called
};

}  // namespace weft::io
