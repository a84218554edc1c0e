// Private to tests/sim: a connection of the simulated network and its two ends.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "base/buffer.h"
#include "io/stream.h"
#include "tests/sim/sim_loop.h"

namespace weft::sim {

class SimStream;

// What one end's kernel knows.
struct SimEnd {
  SimLoop* loop = nullptr;
  SimStream* stream = nullptr;  // null: not made yet, or closed
  bool closed = false;
  Address local;
  Address peer;
  std::optional<Address> original_destination;
  Buffer arrived;            // and not yet read
  bool fin_arrived = false;  // behind `arrived`
  bool reset_arrived = false;
  // What travels towards this end, in the order in which it was sent and arrives.
  struct Piece {
    std::string bytes;
    bool fin = false;
  };
  std::deque<Piece> travelling;
  std::size_t in_flight_bytes = 0;
  MonotonicTime last_arrival{};
  bool cut = false;  // a FIN was sent: whatever follows is lost
};

struct SimConnection : std::enable_shared_from_this<SimConnection> {
  explicit SimConnection(SimNetwork& n) : network(n) {}

  SimEnd& other(const SimEnd& end) { return &end == &ends[0] ? ends[1] : ends[0]; }
  std::size_t room_towards(const SimEnd& end) const;
  // REQUIRES: as much room.
  void send(SimEnd& from, std::string_view bytes);
  void send_fin(SimEnd& from);
  void send_reset(SimEnd& from);
  // The reader has taken something: the other end may send more, a moment later.
  void make_room(SimEnd& reader);
  void close(SimEnd& end, bool hard);

  SimNetwork& network;
  SimEnd ends[2];

 private:
  void travel(SimEnd& to, std::string bytes, bool fin);
  void arrive(SimEnd& to);
  void reset_arrive(SimEnd& to);
};

class SimStream final : public io::Stream {
 public:
  SimStream(std::shared_ptr<SimConnection> connection, SimEnd& end);
  ~SimStream() override;

  void start(io::StreamHandler& handler) override;
  void pause() override;
  void resume() override;
  void detach() override;
  void write(std::string_view bytes) override;
  void end() override;
  void reset() override { hard_ = true; }
  std::size_t queued_bytes() const override { return failed_ ? 0 : outgoing_.size(); }
  const Address& local_address() const override { return end_.local; }
  const Address& peer_address() const override { return end_.peer; }
  Result<Address> original_destination() const override;
  bool idle_and_open() const override;

  // From the connection, in a turn of this loop.
  void deliver();
  // From the loop, at the end of a turn.
  void flush();

 private:
  void read_later();
  void watch_peer();
  void look();
  void write_failed(const Error& error);
  void report_failure();

  std::shared_ptr<SimConnection> connection_;
  SimEnd& end_;
  io::StreamHandler* handler_ = nullptr;
  Buffer outgoing_;
  std::optional<Error> failure_;
  std::unique_ptr<io::Timer> look_;  // runs while paused and the peer has gone
  bool paused_ = true;
  bool end_told_ = false;
  bool ending_ = false;
  bool fin_sent_ = false;
  bool above_high_ = false;
  bool failed_ = false;
  bool hard_ = false;
  bool read_scheduled_ = false;
  Anchor anchor_;
};

}  // namespace weft::sim
