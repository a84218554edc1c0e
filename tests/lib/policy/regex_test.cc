#include "policy/regex.h"

#include <regex.h>

#include <string>

#include <gtest/gtest.h>

#include "base/random.h"

namespace weft::policy {
namespace {

bool matches(std::string_view pattern, std::string_view text) {
  const auto regex = Regex::compile(pattern);
  EXPECT_TRUE(regex) << pattern << ": " << regex.error().expected;
  return regex && regex->matches(text);
}

TEST(Regex, MatchesWholeValues) {
  struct Case {
    const char* pattern;
    const char* text;
    bool match;
  };
  const Case cases[] = {
      {"", "", true},
      {"", "a", false},
      {"abc", "abc", true},
      {"abc", "abcd", false},
      {"^abc$", "abc", true},
      {"a.c", "a\nc", true},
      {"a|b|c|d|e|f|g|h|i|j|k|l|m|n|o|p|q|r|s|t", "t", true},
      {"ab|cd", "abd", false},
      {"(a|b)*c", "ababc", true},
      {"a*", "", true},
      {"a+", "", false},
      {"a?b", "b", true},
      {"(?:ab)+", "abab", true},
      {"[a-c]x[^a-c]", "bxd", true},
      {"[a-c]x[^a-c]", "bxa", false},
      {"[]a]", "]", true},
      {"[a-]", "-", true},
      {"[\\d_]+", "12_3", true},
      {"\\d{3}", "123", true},
      {"\\d{3}", "12", false},
      {"a{2,}", "aaaa", true},
      {"a{2,}", "a", false},
      {"a{1,3}", "aaa", true},
      {"a{1,3}", "aaaa", false},
      {"a{0,2}b", "b", true},
      {"(a{1,2}){2}", "aaa", true},
      {"\\x26\\.", "&.", true},
      {"\\w+@\\w+\\.org", "me@example.org", true},
      {"a\\\\$", "a\\", true},
      {"a\\$", "a$", true},
      {"(a*)*b", "aaab", true},
      {"((a|b)*|c)+", "abcab", true},
      {"(|a)b", "b", true},
      {"\\S\\s\\D\\W", "a x-", true},
  };
  for (const Case& c : cases) EXPECT_EQ(matches(c.pattern, c.text), c.match) << c.pattern << " on " << c.text;
}

TEST(Regex, SaysWhereAPatternIsWrong) {
  const std::pair<const char*, std::size_t> cases[] = {
      {"a(b", 1}, {"a)b", 1},  {"[a", 0},  {"*a", 0},  {"a**", 2},   {"a{2", 1},    {"a{3,2}", 1}, {"a\\", 1},
      {"\\q", 0}, {"\\x2", 0}, {"a^b", 1}, {"a$b", 1}, {"[z-a]", 1}, {"a{101}", 1}, {"a{0}", 1},   {"\\1", 0},
  };
  for (const auto& [pattern, at] : cases) {
    const auto regex = Regex::compile(pattern);
    ASSERT_FALSE(regex) << pattern;
    EXPECT_EQ(regex.error().at, at) << pattern << ": " << regex.error().expected;
  }
}

TEST(Regex, RefusesPatternsThatWouldCostTooMuch) {
  for (const std::string& pattern : {std::string(257, 'a'), std::string("((a{50}){50}){50}"),
                                     std::string("((((((){100}){100}){100}){100}){100}){100}"),
                                     std::string(40, '(') + "a" + std::string(40, ')')}) {
    EXPECT_FALSE(Regex::compile(pattern)) << pattern;
  }
}

// The classic attack on backtracking engines: exponential there, a few milliseconds at most here.
TEST(Regex, TakesLinearTimeWhateverThePattern) {
  const auto regex = Regex::compile("(a|aa)*(a*)*(a|a)*b");
  ASSERT_TRUE(regex);
  const std::string text(20'000, 'a');
  EXPECT_FALSE(regex->matches(text));
  EXPECT_TRUE(regex->matches(text + "b"));
}

// POSIX extended expressions of the C library, as an oracle.
class Posix {
 public:
  explicit Posix(const std::string& pattern) {
    EXPECT_EQ(regcomp(&compiled_, ("^(" + pattern + ")$").c_str(), REG_EXTENDED | REG_NOSUB), 0) << pattern;
  }
  Posix(const Posix&) = delete;
  Posix& operator=(const Posix&) = delete;
  ~Posix() { regfree(&compiled_); }
  bool matches(const std::string& text) const {
    return regexec(&compiled_, text.c_str(), 0, nullptr, 0) == 0;
  }

 private:
  regex_t compiled_{};
};

TEST(Regex, AgreesWithTheCLibrary) {
  SeededRandom random(11);
  constexpr std::string_view pieces[] = {"a",  "b",  ".",     "(a|b)", "[ab]",        "[^a]",
                                         "a*", "b+", "(ab)?", "a{2}",  "(b|ba){1,2}", "|"};
  for (int round = 0; round < 1500; ++round) {
    std::string pattern;
    for (std::uint64_t i = 1 + random.below(5); i > 0; --i)
      pattern.append(pieces[random.below(std::size(pieces))]);
    const auto ours = Regex::compile(pattern);
    ASSERT_TRUE(ours) << pattern;
    const Posix theirs(pattern);
    for (int i = 0; i < 10; ++i) {
      std::string text;
      for (std::uint64_t n = random.below(7); n > 0; --n) text.push_back("abc"[random.below(3)]);
      ASSERT_EQ(ours->matches(text), theirs.matches(text)) << pattern << " on " << text;
    }
  }
}

}  // namespace
}  // namespace weft::policy
