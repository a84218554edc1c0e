// Two ends of a connection in memory, without a clock and without a network: what was written to one is given
// to the other when the owner says carry(). One thread.
#pragma once

#include "base/buffer.h"
#include "io/stream.h"

namespace weft::bench {

class MemoryStream final : public io::Stream {
 public:
  void start(io::StreamHandler& handler) override {
    handler_ = &handler;
    paused_ = false;
  }
  void pause() override { paused_ = true; }
  void resume() override { paused_ = false; }
  void detach() override { paused_ = true; }
  void write(std::string_view bytes) override { written_.append(bytes); }
  void end() override {}
  void reset() override {}
  std::size_t queued_bytes() const override { return 0; }
  const Address& local_address() const override { return address_; }
  const Address& peer_address() const override { return address_; }
  Result<Address> original_destination() const override { return fail(Code::not_found, "not redirected"); }
  bool idle_and_open() const override { return true; }

  std::string_view written() const { return written_.view(); }
  // Gives `to` all that was written here. False where there was nothing, or nobody takes it.
  bool carry(MemoryStream& to) {
    if (written_.empty() || to.paused_) return false;
    Buffer bytes;
    std::swap(bytes, written_);
    to.handler_->stream_data(bytes.view());
    return true;
  }

 private:
  io::StreamHandler* handler_ = nullptr;
  Buffer written_;
  Address address_;
  bool paused_ = true;
};

}  // namespace weft::bench
