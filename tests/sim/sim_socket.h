// Private to tests/sim: listening and connecting on the simulated network.
#pragma once

#include "tests/sim/sim_loop.h"

namespace weft::sim {

class SimListener final : public io::Listener {
 public:
  using Accepted = Function<void(std::unique_ptr<io::Stream>)>;

  static Result<std::unique_ptr<io::Listener>> open(SimLoop& loop, const Address& address,
                                                    const io::ListenOptions& options, Accepted accepted);
  static Result<std::unique_ptr<io::Listener>> open_unix(SimLoop& loop, const std::string& path,
                                                         Accepted accepted);
  SimListener(SimLoop& loop, const Address& local, const io::ListenOptions& options, std::string unix_path,
              Accepted accepted);
  ~SimListener() override;

  const Address& local_address() const override { return local_; }
  SimLoop& loop() const { return loop_; }
  bool takes(const Address& to) const;
  const Anchor& anchor() const { return anchor_; }
  void accept(std::unique_ptr<io::Stream> stream);

 private:
  SimLoop& loop_;
  Address local_;
  io::ListenOptions options_;
  std::string unix_path_;
  std::shared_ptr<Accepted> accepted_;
  Anchor anchor_;
};

std::unique_ptr<io::Connecting> sim_connect(SimLoop& loop, const Address& address,
                                            const io::ConnectOptions& options,
                                            Function<void(Result<std::unique_ptr<io::Stream>>)> done);
std::unique_ptr<io::Connecting> sim_connect_unix(SimLoop& loop, const std::string& path,
                                                 Function<void(Result<std::unique_ptr<io::Stream>>)> done);

}  // namespace weft::sim
