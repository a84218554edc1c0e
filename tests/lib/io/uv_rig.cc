#include "io/uv_loop.h"
#include "tests/lib/io/rig.h"
#include "tests/support/run_until.h"
#include "tests/support/temp_dir.h"

namespace weft::test {
namespace {

class UvRig final : public Rig {
 public:
  io::Loop& loop() override { return loop_; }
  bool run_until(const Function<bool()>& done) override { return test::run_until(loop_, done); }
  void run_for(Duration time) override { test::run_for(loop_, time); }
  std::string socket_path(const std::string& name) override { return dir_ / name; }

 private:
  TempDir dir_;
  io::UvLoop loop_;
};

}  // namespace

std::unique_ptr<Rig> make_rig() { return std::make_unique<UvRig>(); }

}  // namespace weft::test
