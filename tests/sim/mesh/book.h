// The book of one run: every call that was planned, what the applications saw of it, and how it ended. Finds
// what contradicts itself. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace weft::test {

// Bytes that tell by themselves whose they are and where in the message they stand.
class Pattern {
 public:
  enum class Direction : std::uint8_t { request, answer };
  Pattern(int id, Direction direction);
  std::string bytes(std::size_t offset, std::size_t count) const;
  bool matches(std::size_t offset, std::string_view bytes) const;

 private:
  char at(std::size_t offset) const;
  std::uint64_t key_;
};

// What an application does with one delivery of a request.
struct Deed {
  enum class Act : std::uint8_t { answer, answer_early, reset, reset_in_answer, silence };
  Act act = Act::answer;
  int status = 200;
  Duration delay{0};
};

// What is planned.
struct Call {
  int id = 0;
  std::string method = "GET";
  std::string over;  // what it goes over, for who reads a finding
  bool grpc = false;
  bool websocket = false;  // asks for a tunnel, in the form of its version of HTTP
  std::size_t request_bytes = 0;
  std::size_t answer_bytes = 0;
  int interim_heads = 0;  // that the application sends at once, before it does anything else
  bool request_trailers = false;
  bool answer_trailers = false;
  bool request_chunked = false;
  bool answer_chunked = false;
  bool slow_reader = false;  // of the answer
  bool slow_writer = false;  // of the request
  Duration gives_up{0};      // the caller, after so long; zero: it does not
  std::vector<Deed> deeds;   // for the first delivery, the second …; the last for all further ones
  int deliveries_max = 1;    // how often applications may see it
  Duration timeout{0};       // the longest that may have been in force; zero: none
  bool must_succeed = false;
};

enum class Outcome : std::uint8_t { open, answered, cut, failed, gave_up };
std::string_view outcome_name(Outcome outcome);

// What has become of it.
struct Fate {
  int deliveries = 0;
  int copies = 0;  // that applications saw
  Outcome outcome = Outcome::open;
  int interim_heads = 0;
  int status = 0;
  std::string mesh_error;  // x-weft-error of the answer
  std::string why;         // of what is no answer
  MonotonicTime begun{};
  MonotonicTime ended{};
};

class Book {
 public:
  int plan(Call call);  // gives its id
  const Call& call(int id) const { return calls_[static_cast<std::size_t>(id)]; }
  Fate& fate(int id) { return fates_[static_cast<std::size_t>(id)]; }
  const Fate& fate(int id) const { return fates_[static_cast<std::size_t>(id)]; }
  int size() const { return static_cast<int>(calls_.size()); }
  int open() const { return open_; }

  // An application has got its head. What it is to do with it.
  const Deed& delivered(int id);
  void ended(int id, Outcome outcome, MonotonicTime now);
  bool knows(int id) const { return id >= 0 && id < size(); }

  // Something that must never be.
  void finding(std::string what);
  void finding(int id, std::string_view what);
  const std::vector<std::string>& findings() const { return findings_; }

 private:
  std::vector<Call> calls_;
  std::vector<Fate> fates_;
  std::vector<std::string> findings_;
  int open_ = 0;
};

}  // namespace weft::test
