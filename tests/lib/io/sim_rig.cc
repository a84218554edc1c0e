#include "tests/lib/io/rig.h"
#include "tests/sim/sim_loop.h"

namespace weft::test {
namespace {

class SimRig final : public Rig {
 public:
  io::Loop& loop() override { return loop_; }
  bool run_until(const Function<bool()>& done) override { return loop_.run_until(done); }
  void run_for(Duration time) override { loop_.advance(time); }
  std::string socket_path(const std::string& name) override { return "/run/" + name; }

 private:
  sim::SimLoop loop_;
};

}  // namespace

std::unique_ptr<Rig> make_rig() { return std::make_unique<SimRig>(); }

}  // namespace weft::test
