#include "http/grpc_inbound.h"

#include <utility>

namespace weft::http {

Status GrpcInbound::deliver(std::string_view bytes, const Function<void(std::string_view)>& message,
                            std::size_t& taken_bytes) {
  std::string joined;
  if (!held_.empty()) {
    joined = std::exchange(held_, std::string());
    joined.append(bytes);
    bytes = joined;
  }
  while (!bytes.empty() && !paused_ && !stopped_) {
    WEFT_ASSIGN(const std::size_t used, reader_.feed(bytes));
    taken_bytes += used;
    bytes.remove_prefix(used);
    if (reader_.message_ready()) message(reader_.take());
  }
  if (!stopped_) held_.assign(bytes);
  return {};
}

}  // namespace weft::http
