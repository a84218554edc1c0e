#include "tests/support/dns_server.h"

#include "base/text.h"

namespace weft::test {
namespace {

constexpr std::size_t header_bytes = 12;
constexpr std::uint16_t type_a = 1;
constexpr std::uint16_t type_aaaa = 28;

void put16(std::string& out, unsigned value) {
  out += static_cast<char>(value >> 8);
  out += static_cast<char>(value & 0xff);
}

}  // namespace

DnsServer::DnsServer(io::UvLoop& loop) {
  const Address any_port{IpAddress::parse("127.0.0.1").value(), 0};
  socket_ = io::bind_udp(loop, any_port, [this](const Address& from, std::string_view datagram) {
              question(from, datagram);
            }).value();
}

void DnsServer::question(const Address& from, std::string_view datagram) {
  if (datagram.size() < header_bytes) return;
  std::string name;
  std::size_t at = header_bytes;
  while (at < datagram.size() && datagram[at] != 0) {
    const auto length = static_cast<unsigned char>(datagram[at]);
    if (!name.empty()) name += '.';
    name += ascii_lower(datagram.substr(at + 1, length));
    at += 1 + length;
  }
  at += 1;
  if (at + 4 > datagram.size()) return;
  const auto type = static_cast<std::uint16_t>(static_cast<unsigned char>(datagram[at]) << 8 |
                                               static_cast<unsigned char>(datagram[at + 1]));
  asked.push_back(name);
  if (silent.contains(name)) return;
  const auto found = names.find(name);
  std::string records;
  unsigned count = 0;
  if (found != names.end()) {
    for (const IpAddress& ip : found->second) {
      if (type != (ip.is_v4() ? type_a : type_aaaa)) continue;
      ++count;
      put16(records, 0xc000 | header_bytes);  // the name of the question
      put16(records, type);
      put16(records, 1);  // IN
      put16(records, 0);
      put16(records, 5);  // seconds to live
      const std::size_t length = ip.is_v4() ? 4 : 16;
      put16(records, static_cast<unsigned>(length));
      records.append(reinterpret_cast<const char*>(ip.bytes().data()), length);
    }
  }
  std::string answer(datagram.substr(0, 2));
  put16(answer, found == names.end() ? 0x8183 : 0x8180);  // NXDOMAIN, or none
  put16(answer, 1);
  put16(answer, count);
  put16(answer, 0);
  put16(answer, 0);
  answer.append(datagram.substr(header_bytes, at + 4 - header_bytes));
  socket_->send(from, answer + records);
}

}  // namespace weft::test
