#include "cli/local/dns.h"

#include <algorithm>
#include <cstdint>

#include "base/text.h"

namespace weft::local {
namespace {

constexpr std::size_t header_bytes = 12;
constexpr std::size_t name_bytes_max = 255;
constexpr std::uint16_t class_in = 1;
constexpr std::uint32_t ttl_seconds = 5;  // short: endpoints of headless Services come and go
constexpr unsigned alias_steps_max = 8;

enum Rcode : std::uint16_t {
  no_error = 0,
  format_error = 1,
  name_error = 3,
  not_implemented = 4,
  refused = 5
};

std::uint16_t read16(std::string_view packet, std::size_t at) {
  return static_cast<std::uint16_t>(static_cast<std::uint8_t>(packet[at]) << 8 |
                                    static_cast<std::uint8_t>(packet[at + 1]));
}

void append16(std::string& out, std::uint16_t value) {
  out.push_back(static_cast<char>(value >> 8));
  out.push_back(static_cast<char>(value));
}

void append32(std::string& out, std::uint32_t value) {
  append16(out, static_cast<std::uint16_t>(value >> 16));
  append16(out, static_cast<std::uint16_t>(value));
}

// RFC 1035 § 4.1.2. Compression makes no sense in a question and is refused, so there are no loops.
Result<DnsQuestion> parse_question(std::string_view packet, std::size_t& end) {
  std::size_t at = header_bytes;
  DnsQuestion question;
  while (true) {
    if (at >= packet.size()) return fail(Code::invalid, "the name runs past the packet");
    const std::size_t length = static_cast<std::uint8_t>(packet[at++]);
    if (length == 0) break;
    if (length > 63) return fail(Code::invalid, "a label of a question is compressed or too long");
    if (at + length > packet.size()) return fail(Code::invalid, "a label runs past the packet");
    if (!question.name.empty()) question.name.push_back('.');
    for (const char c : packet.substr(at, length)) {
      // A dot inside a label would make two names look alike.
      if (c == '.') return fail(Code::invalid, "a label has a dot");
      question.name.push_back(ascii_lower(c));
    }
    if (question.name.size() > name_bytes_max) return fail(Code::invalid, "the name is too long");
    at += length;
  }
  if (at + 4 > packet.size()) return fail(Code::invalid, "type and class are missing");
  question.type = read16(packet, at);
  question.record_class = read16(packet, at + 2);
  end = at + 4;
  return question;
}

Result<DnsQuestion> parse_query(std::string_view packet, std::size_t& end) {
  if (packet.size() < header_bytes) return fail(Code::invalid, "shorter than a header");
  if (read16(packet, 4) != 1) return fail(Code::invalid, "not exactly one question");
  return parse_question(packet, end);
}

bool append_name(std::string& out, std::string_view name) {
  for (const std::string_view label : split(name, '.')) {
    if (label.empty() || label.size() > 63) return false;
    out.push_back(static_cast<char>(label.size()));
    out.append(label);
  }
  out.push_back('\0');
  return true;
}

// Collects answer records and counts those that fit.
class Answers {
 public:
  explicit Answers(std::size_t room) : room_(room) {}

  void add(std::string_view owner, std::uint16_t type, std::string_view data) {
    std::string record;
    if (!append_name(record, owner)) return;
    append16(record, type);
    append16(record, class_in);
    append32(record, ttl_seconds);
    append16(record, static_cast<std::uint16_t>(data.size()));
    record.append(data);
    if (truncated_ || bytes_.size() + record.size() > room_) {
      truncated_ = true;
      return;
    }
    bytes_.append(record);
    ++count_;
  }
  const std::string& bytes() const { return bytes_; }
  std::uint16_t count() const { return count_; }
  bool truncated() const { return truncated_; }

 private:
  std::size_t room_;
  std::string bytes_;
  std::uint16_t count_ = 0;
  bool truncated_ = false;
};

void add_addresses(Answers& answers, std::string_view owner, const DnsRecord& record, std::uint16_t type) {
  for (const IpAddress& address : record.addresses) {
    const std::uint16_t own_type = address.is_v4() ? dns_type_a : dns_type_aaaa;
    if (type != own_type && type != dns_type_any) continue;
    const std::string_view bytes(reinterpret_cast<const char*>(address.bytes().data()), 16);
    answers.add(owner, own_type, bytes.substr(0, address.is_v4() ? 4 : 16));
  }
}

Rcode resolve(const DnsZone& zone, const DnsQuestion& question, Answers& answers) {
  std::string name = question.name;
  for (unsigned step = 0; step < alias_steps_max; ++step) {
    const auto found = zone.names.find(name);
    // An alias that leads out of the zone is answered by itself: the resolver goes on with it.
    if (found == zone.names.end()) return step == 0 ? name_error : no_error;
    if (found->second.alias.empty()) {
      add_addresses(answers, name, found->second, question.type);
      return no_error;
    }
    std::string target;
    if (!append_name(target, found->second.alias)) return no_error;
    answers.add(name, dns_type_cname, target);
    if (question.type == dns_type_cname) return no_error;
    name = ascii_lower(std::string_view(found->second.alias));
  }
  return no_error;
}

std::string make_reply(std::string_view packet, std::size_t question_end, Rcode rcode,
                       const Answers& answers) {
  std::string out(packet.substr(0, 2));
  // QR, opcode and RD as asked, AA, TC, RA.
  std::uint16_t flags =
      static_cast<std::uint16_t>(0x8000u | (read16(packet, 2) & 0x7900u) | 0x0400u | 0x0080u);
  if (answers.truncated()) flags |= 0x0200u;
  append16(out, static_cast<std::uint16_t>(flags | rcode));
  append16(out, question_end > header_bytes ? 1 : 0);
  append16(out, answers.count());
  append32(out, 0);
  out.append(packet.substr(header_bytes, question_end - header_bytes));
  return out.append(answers.bytes());
}

}  // namespace

Result<DnsQuestion> parse_dns_query(std::string_view packet) {
  std::size_t end = 0;
  return parse_query(packet, end);
}

std::string answer_dns(const DnsZone& zone, std::string_view packet, std::size_t bytes_max) {
  if (packet.size() < header_bytes || (read16(packet, 2) & 0x8000u) != 0) return {};
  std::size_t end = header_bytes;
  const Result<DnsQuestion> question = parse_query(packet, end);
  if (!question) return make_reply(packet, header_bytes, format_error, Answers(0));
  if (end > bytes_max) return {};
  Answers answers(bytes_max - end);
  if ((read16(packet, 2) & 0x7800u) != 0) return make_reply(packet, end, not_implemented, answers);
  if (question->record_class != class_in) return make_reply(packet, end, refused, answers);
  const Rcode rcode = resolve(zone, *question, answers);
  return make_reply(packet, end, rcode, answers);
}

}  // namespace weft::local
