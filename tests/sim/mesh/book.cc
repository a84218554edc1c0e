#include "tests/sim/mesh/book.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace weft::test {
namespace {

constexpr std::size_t findings_max = 20;

std::uint64_t mixed(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

}  // namespace

Pattern::Pattern(int id, Direction direction)
    : key_(mixed(static_cast<std::uint64_t>(id) * 2 + static_cast<std::uint64_t>(direction) + 1)) {}

char Pattern::at(std::size_t offset) const {
  const std::uint64_t word = mixed(key_ + offset / sizeof(std::uint64_t));
  return static_cast<char>(word >> (8 * (offset % sizeof(std::uint64_t))));
}

std::string Pattern::bytes(std::size_t offset, std::size_t count) const {
  std::string made(count, '\0');
  for (std::size_t i = 0; i < count; ++i) made[i] = at(offset + i);
  return made;
}

bool Pattern::matches(std::size_t offset, std::string_view bytes) const {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] != at(offset + i)) return false;
  }
  return true;
}

std::string_view outcome_name(Outcome outcome) {
  switch (outcome) {
    case Outcome::open:
      return "open";
    case Outcome::answered:
      return "answered";
    case Outcome::cut:
      return "cut";
    case Outcome::failed:
      return "failed";
    case Outcome::gave_up:
      return "gave up";
  }
  return "";
}

int Book::plan(Call call) {
  call.id = size();
  calls_.push_back(std::move(call));
  fates_.emplace_back();
  ++open_;
  return size() - 1;
}

const Deed& Book::delivered(int id) {
  const Call& planned = call(id);
  const int before = fate(id).deliveries++;
  if (before + 1 > planned.deliveries_max) {
    finding(id, str_cat("an application saw it ", before + 1, " times, ", planned.deliveries_max, " may be"));
  }
  const auto last = static_cast<int>(planned.deeds.size()) - 1;
  return planned.deeds[static_cast<std::size_t>(std::min(before, last))];
}

void Book::ended(int id, Outcome outcome, MonotonicTime now) {
  Fate& its = fate(id);
  if (its.outcome != Outcome::open) {
    return finding(id, str_cat("ended twice: ", outcome_name(its.outcome), ", then ", outcome_name(outcome)));
  }
  its.outcome = outcome;
  its.ended = now;
  --open_;
}

void Book::finding(std::string what) {
  if (findings_.size() < findings_max) findings_.push_back(std::move(what));
}

void Book::finding(int id, std::string_view what) {
  const Call& its = call(id);
  finding(str_cat("call ", id, " (", its.method,
                  its.grpc        ? " gRPC "
                  : its.websocket ? " WebSocket "
                                  : " ",
                  its.request_bytes, " for ", its.answer_bytes, " bytes, ", its.over, "): ", what));
}

}  // namespace weft::test
