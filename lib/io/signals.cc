#include "io/signals.h"

#include <utility>

#include "base/text.h"
#include "io/uv_error.h"
#include "io/uv_handle.h"
#include "io/uv_loop.h"

namespace weft::io {
namespace {

class UvSignalWatch final : public SignalWatch {
 public:
  explicit UvSignalWatch(Function<void()> received)
      : received_(std::make_shared<Function<void()>>(std::move(received))) {}

  Status open(UvLoop& loop, int number) {
    int status = signal_.open(this, [&](uv_signal_t* signal) { return uv_signal_init(loop.raw(), signal); });
    if (status >= 0) status = uv_signal_start(signal_.get(), &UvSignalWatch::caught, number);
    if (status < 0) return fail(system_error(status, str_cat("watch signal ", number)));
    return {};
  }

 private:
  static void caught(uv_signal_t* signal, int) {
    if (!signal->data) return;
    const auto received = static_cast<UvSignalWatch*>(signal->data)->received_;  // may destroy the watch
    (*received)();
  }

  std::shared_ptr<Function<void()>> received_;
  UvHandle<uv_signal_t> signal_;
};

}  // namespace

Result<std::unique_ptr<SignalWatch>> watch_signal(UvLoop& loop, int number, Function<void()> received) {
  auto watch = std::make_unique<UvSignalWatch>(std::move(received));
  WEFT_TRY(watch->open(loop, number));
  return watch;
}

}  // namespace weft::io
