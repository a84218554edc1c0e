// Counts what went wrong and tells the first few in words.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

namespace weft::bench {

class Failures {
 public:
  // `verb` is the subcommand.
  explicit Failures(const char* verb) : verb_(verb) {}

  void add(const std::string& what) {
    if (count_++ < told_max) std::fprintf(stderr, "%s: %s\n", verb_, what.c_str());
  }
  std::uint64_t count() const { return count_; }
  int exit_code() const { return count_ == 0 ? 0 : 1; }

 private:
  static constexpr std::uint64_t told_max = 10;

  const char* verb_;
  std::uint64_t count_ = 0;
};

}  // namespace weft::bench
