#include "tests/support/run_until.h"

#include <memory>

namespace weft::test {

bool run_until(io::UvLoop& loop, const Function<bool()>& done, Duration limit) {
  const auto until = loop.now() + limit;
  // A turn may block after it did what `done` waits for; the tick looks again.
  std::unique_ptr<io::Timer> tick;
  tick = loop.make_timer([&tick] { tick->start(std::chrono::milliseconds(2)); });
  tick->start(Duration::zero());
  while (!done()) {
    if (loop.now() >= until) return false;
    loop.run_turn();
  }
  return true;
}

void run_for(io::UvLoop& loop, Duration time) {
  run_until(
      loop, [] { return false; }, time);
}

}  // namespace weft::test
