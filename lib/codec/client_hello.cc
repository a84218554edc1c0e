#include "codec/client_hello.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/limits.h"
#include "base/text.h"

namespace weft::codec {
namespace {

constexpr std::size_t record_header_bytes = 5;
constexpr std::size_t record_bytes_max = 16384;
constexpr std::size_t message_header_bytes = 4;
constexpr std::uint8_t content_handshake = 22;
constexpr std::uint8_t message_client_hello = 1;
constexpr std::uint16_t extension_server_name = 0;
constexpr std::uint16_t extension_alpn = 16;

std::size_t number(std::string_view bytes) {
  std::size_t value = 0;
  for (const char c : bytes) value = (value << 8) | static_cast<unsigned char>(c);
  return value;
}

// Reads from the front; after a read past the end everything is empty and ok() false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  std::string_view take(std::size_t bytes) {
    if (bytes > bytes_.size()) {
      ok_ = false;
      bytes_ = {};
      return {};
    }
    const std::string_view taken = bytes_.substr(0, bytes);
    bytes_.remove_prefix(bytes);
    return taken;
  }
  std::size_t integer(std::size_t bytes) { return number(take(bytes)); }
  // A vector with a length of `bytes` bytes in front.
  std::string_view vector(std::size_t bytes) { return take(integer(bytes)); }
  bool ok() const { return ok_; }
  bool empty() const { return bytes_.empty(); }

 private:
  std::string_view bytes_;
  bool ok_ = true;
};

ClientHelloResult malformed(std::string message) {
  return {ClientHelloResult::Kind::malformed, {}, Error{Code::invalid, "ClientHello: " + std::move(message)}};
}

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

bool read_server_name(std::string_view extension, ClientHello& hello) {
  Reader reader(extension);
  Reader list(reader.vector(2));
  if (!reader.ok() || !reader.empty() || list.empty()) return false;
  bool seen = false;
  while (!list.empty()) {
    const std::size_t type = list.integer(1);
    const std::string_view name = list.vector(2);
    if (!list.ok()) return false;
    if (type != 0) continue;  // only host_name is defined
    if (seen || name.empty() || name.size() > 255) return false;
    seen = true;
    hello.server_name = ascii_lower(name);
    if (!std::all_of(hello.server_name.begin(), hello.server_name.end(), is_name_char)) return false;
  }
  return true;
}

bool read_alpn(std::string_view extension, ClientHello& hello) {
  Reader reader(extension);
  Reader list(reader.vector(2));
  if (!reader.ok() || !reader.empty() || list.empty()) return false;
  while (!list.empty()) {
    const std::string_view protocol = list.vector(1);
    if (!list.ok() || protocol.empty()) return false;
    hello.alpn.emplace_back(protocol);
  }
  return true;
}

ClientHelloResult parse_message(std::string_view body) {
  Reader reader(body);
  reader.take(2 + 32);  // legacy_version, random
  const std::string_view session = reader.vector(1);
  const std::string_view suites = reader.vector(2);
  const std::string_view compressions = reader.vector(1);
  if (!reader.ok()) return malformed("a field is longer than the message");
  if (session.size() > 32) return malformed("the session id is longer than 32 bytes");
  if (suites.empty() || suites.size() % 2 != 0) return malformed("the list of cipher suites is invalid");
  if (compressions.empty()) return malformed("there is no compression method");
  ClientHelloResult result;
  result.kind = ClientHelloResult::Kind::complete;
  if (reader.empty()) return result;  // before TLS 1.3 extensions were optional
  Reader extensions(reader.vector(2));
  if (!reader.ok() || !reader.empty()) return malformed("the extensions do not fill the message");
  bool seen_name = false;
  bool seen_alpn = false;
  while (!extensions.empty()) {
    const std::size_t type = extensions.integer(2);
    const std::string_view data = extensions.vector(2);
    if (!extensions.ok()) return malformed("an extension is longer than the list");
    if (type == extension_server_name) {
      if (std::exchange(seen_name, true)) return malformed("server_name comes twice");
      if (!read_server_name(data, result.hello)) return malformed("server_name is invalid");
    } else if (type == extension_alpn) {
      if (std::exchange(seen_alpn, true)) return malformed("ALPN comes twice");
      if (!read_alpn(data, result.hello)) return malformed("ALPN is invalid");
    }
  }
  return result;
}

}  // namespace

bool ClientHello::offers_alpn(std::string_view protocol) const {
  return std::find(alpn.begin(), alpn.end(), protocol) != alpn.end();
}

ClientHelloResult parse_client_hello(std::string_view bytes) {
  std::string message;  // what the records hold, without their headers
  std::optional<std::size_t> message_bytes;
  std::size_t at = 0;
  while (at < bytes.size()) {
    const std::string_view record = bytes.substr(at);
    if (static_cast<std::uint8_t>(record[0]) != content_handshake)
      return malformed("a record is not a handshake");
    if (record.size() >= 2 && record[1] != 3) return malformed("a record has an unknown version");
    if (record.size() < record_header_bytes) break;
    const std::size_t length = number(record.substr(3, 2));
    if (length == 0) return malformed("a record is empty");
    if (length > record_bytes_max) return malformed("a record is longer than 16384 bytes");
    message.append(record.substr(record_header_bytes, length));
    if (!message.empty() && static_cast<std::uint8_t>(message[0]) != message_client_hello) {
      return malformed("the first message is another one");
    }
    if (!message_bytes && message.size() >= message_header_bytes) {
      message_bytes = message_header_bytes + number(std::string_view(message).substr(1, 3));
      if (*message_bytes + record_header_bytes > limits::detect_bytes_max) return malformed("it is too long");
    }
    if (message_bytes && message.size() >= *message_bytes) {
      return parse_message(
          std::string_view(message).substr(message_header_bytes, *message_bytes - message_header_bytes));
    }
    at += record_header_bytes + length;
  }
  if (bytes.size() >= limits::detect_bytes_max) return malformed("it is too long");
  return {};
}

}  // namespace weft::codec
