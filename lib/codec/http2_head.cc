#include "codec/http2_head.h"

#include "base/limits.h"
#include "base/text.h"

namespace weft::codec {
void Http2Head::begin() {
  head_ = RequestHead{};
  head_.version = Version::http2;
  status_ = 0;
  bytes_ = 0;
}

bool Http2Head::add(std::string_view name, std::string_view value) {
  bytes_ += name.size() + value.size() + limits::http2_field_overhead_bytes;
  if (bytes_ > bytes_max_ || head_.headers.size() >= fields_max_) return false;
  if (name.empty() || name[0] != ':') {
    head_.headers.add(name, value);
  } else if (name == ":method") {
    head_.method = value;
  } else if (name == ":path") {
    head_.target = value;
  } else if (name == ":authority") {
    head_.authority = value;
  } else if (name == ":scheme") {
    head_.scheme = value;
  } else if (name == ":protocol") {
    head_.protocol = value;
  } else if (name == ":status") {
    status_ = static_cast<int>(parse_number<unsigned>(value).value_or(0));
  }
  return true;
}

ResponseHead Http2Head::take_response() {
  ResponseHead head;
  head.status = status_;
  head.version = Version::http2;
  head.headers = take_trailers();
  return head;
}

}  // namespace weft::codec
