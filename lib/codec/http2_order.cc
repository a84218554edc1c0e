#include "codec/http2_order.h"

#include <algorithm>

namespace weft::codec {

Http2Order::Verdict Http2Order::look(StreamId id) const {
  const auto found =
      std::find_if(over_.begin(), over_.end(), [id](const Over& over) { return over.id == id; });
  return found == over_.end() ? Verdict::fine : found->verdict;
}

Http2Order::Verdict Http2Order::look_at_request(StreamId id) {
  if (id > highest_) {
    if (id > highest_ + 2) {
      passed_first_ = highest_ + 2;
      passed_last_ = id - 2;
    }
    highest_ = id;
    return Verdict::fine;
  }
  if (id >= passed_first_ && id <= passed_last_) return Verdict::out_of_order;
  return look(id);
}

}  // namespace weft::codec
