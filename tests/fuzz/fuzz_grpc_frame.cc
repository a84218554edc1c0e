// The bytes of a gRPC stream, however cut, and the text of its fields. The first byte is how they are cut.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "codec/grpc_frame.h"
#include "tests/fuzz/fuzz.h"

namespace weft::codec {
namespace {

constexpr std::size_t message_bytes_max = 1000;

struct Outcome {
  std::vector<std::string> messages;
  std::optional<Code> error;
  bool at_boundary = false;
  bool operator==(const Outcome&) const = default;
};

Outcome read(std::string_view bytes, std::size_t cut) {
  Outcome outcome;
  GrpcFrameReader reader(message_bytes_max);
  while (!bytes.empty()) {
    std::string_view piece = bytes.substr(0, cut);
    bytes.remove_prefix(piece.size());
    while (!piece.empty()) {
      const auto used = reader.feed(piece);
      if (!used) {
        outcome.error = used.error().code;
        return outcome;
      }
      WEFT_CHECK(*used > 0 && *used <= piece.size());
      WEFT_CHECK(reader.held_bytes() <= message_bytes_max);
      piece.remove_prefix(*used);
      if (reader.message_ready()) outcome.messages.push_back(reader.take());
    }
  }
  outcome.at_boundary = reader.at_boundary();
  return outcome;
}

void check_fields(std::string_view text) {
  WEFT_CHECK(decode_grpc_message(encode_grpc_message(text)) == text);
  if (const auto timeout = parse_grpc_timeout(text)) {
    WEFT_CHECK(*timeout >= Duration::zero());
    const auto again = parse_grpc_timeout(format_grpc_timeout(*timeout));
    WEFT_CHECK(again && *again >= *timeout);
  }
  if (const auto code = parse_grpc_code(text)) WEFT_CHECK(!grpc_code_name(*code).empty());
}

}  // namespace
}  // namespace weft::codec

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes = weft::fuzz::text(data, size).substr(1);
  const auto whole = weft::codec::read(bytes, bytes.size());
  WEFT_CHECK(whole == weft::codec::read(bytes, 1));
  WEFT_CHECK(whole == weft::codec::read(bytes, 1 + data[0]));
  if (whole.at_boundary) {
    std::string again;
    for (const std::string& message : whole.messages) weft::codec::write_grpc_frame(again, message);
    WEFT_CHECK(again == bytes);
  }
  weft::codec::check_fields(bytes);
  return 0;
}
