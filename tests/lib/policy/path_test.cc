#include "policy/path.h"

#include <set>

#include <gtest/gtest.h>

#include "base/random.h"

namespace weft::policy {
namespace {

using namespace std::string_literals;

TEST(NormaliseTarget, FollowsRfc3986AndLeavesTheQueryAlone) {
  const std::pair<const char*, const char*> cases[] = {
      {"/", "/"},
      {"/a/b", "/a/b"},
      {"/a/./b", "/a/b"},
      {"/a/../b", "/b"},
      {"/../../etc", "/etc"},
      {"/a/b/..", "/a/"},
      {"/a/b/.", "/a/b/"},
      {"/..", "/"},
      {"//a///b//", "/a/b/"},
      {"/a//../b", "/b"},
      {"/%61pi", "/api"},
      {"/a%2e%2e/b", "/a../b"},
      {"/a/%2e%2E/b", "/b"},
      {"/a%2fb", "/a%2Fb"},
      {"/%7euser", "/~user"},
      {"/a%20b%c3%a4", "/a%20b%C3%A4"},
      {"/.hidden/..x/...", "/.hidden/..x/..."},
      {"/a/../b?x=/../y//z&%61", "/b?x=/../y//z&%61"},
      {"/?", "/?"},
      {"*", "*"},
      {"example.org:443", "example.org:443"},
      {"", ""},
      // A second round of decoding is the application's business, and a reading below.
      {"/%2561", "/%2561"},
  };
  for (const auto& [target, expected] : cases) EXPECT_EQ(normalise_target(target).target, expected) << target;
}

TEST(NormaliseTarget, NamesWhatCanBeReadInTwoWays) {
  const std::pair<std::string, PathHazard> cases[] = {
      {"/a/b", PathHazard::none},
      {"/a%20b", PathHazard::none},
      {"/a%2fb", PathHazard::encoded_slash},
      {"/a%5cb", PathHazard::backslash},
      {"/a\\b", PathHazard::backslash},
      {"/a%00", PathHazard::nul},
      {"/a\0b"s, PathHazard::nul},
      {"/a%", PathHazard::malformed_percent},
      {"/a%2", PathHazard::malformed_percent},
      {"/a%zz", PathHazard::malformed_percent},
      {"/a%2fb%zz", PathHazard::malformed_percent},
      {"/%c0%af", PathHazard::overlong},
      {"/%e0%80%af", PathHazard::overlong},
      {"/%f0%80%80%af", PathHazard::overlong},
      {"/\xc0\xaf", PathHazard::overlong},
      {"/%e4%b8%ad", PathHazard::none},
      {"/a#b", PathHazard::fragment},
      {"/a%23b", PathHazard::none},
      {"/a?b=%2f%00\\#", PathHazard::none},
  };
  for (const auto& [target, hazard] : cases) EXPECT_EQ(normalise_target(target).hazard, hazard) << target;
}

TEST(NormaliseTarget, LeavesAMalformedEncodingAsItCame) {
  EXPECT_EQ(normalise_target("/a/../%%34%31").target, "/a/../%%34%31");
}

// A path of pieces that meet in awkward ways.
std::string random_target(Random& random) {
  constexpr std::string_view pieces[] = {"/",   "//",  ".",   "..",  "/../", "/./", "a",     "B",
                                         "%2e", "%2F", "%61", "%25", "%5c",  ";x",  ";",     "?",
                                         "%",   "%zz", "%00", "~",   "%7E",  "\\",  "%c3%a4"};
  std::string target = random.below(8) == 0 ? "" : "/";
  for (std::uint64_t i = random.below(12); i > 0; --i) target.append(pieces[random.below(std::size(pieces))]);
  return target;
}

TEST(NormaliseTarget, IsIdempotentAndLeavesNoDotSegment) {
  SeededRandom random(17);
  for (int round = 0; round < 20'000; ++round) {
    const std::string target = random_target(random);
    const NormalTarget once = normalise_target(target);
    const NormalTarget twice = normalise_target(once.target);
    ASSERT_EQ(once.target, twice.target) << target;
    // A hazard may go with the segment that had it; none may appear.
    ASSERT_TRUE(twice.hazard == PathHazard::none || once.hazard != PathHazard::none) << target;
    ASSERT_EQ(once.path_bytes, twice.path_bytes) << target;
    if (!target.starts_with('/') || once.hazard == PathHazard::malformed_percent) continue;
    const std::string path = std::string(once.path()) + "/";
    ASSERT_EQ(path.find("/../"), std::string::npos) << target;
    ASSERT_EQ(path.find("/./"), std::string::npos) << target;
    ASSERT_EQ(once.path().find("//"), std::string::npos) << target;
  }
}

std::set<std::string> readings(const std::string& target) {
  const NormalTarget normal = normalise_target(target);
  const PathReadings all(normal.path());
  std::set<std::string> out;
  for (std::size_t i = 0; i < all.size(); ++i) out.insert(std::string(all[i]));
  EXPECT_EQ(out.size(), all.size()) << "a reading comes twice";
  return out;
}

TEST(PathReadings, AreWhatALaxApplicationCouldSee) {
  using Set = std::set<std::string>;
  EXPECT_EQ(readings("/a/b"), (Set{"/a/b"}));
  EXPECT_EQ(readings("/a%20b"), (Set{"/a%20b", "/a b"}));
  EXPECT_EQ(readings("/admin;x=1/y"), (Set{"/admin;x=1/y", "/admin/y"}));
  EXPECT_EQ(readings("/public/..;/admin"), (Set{"/public/..;/admin", "/admin"}));
  EXPECT_EQ(readings("/a%3Bb/c"), (Set{"/a%3Bb/c", "/a;b/c", "/a/c"}));
  EXPECT_EQ(readings("/public/%252e%252e/admin"), (Set{"/public/%252e%252e/admin", "/admin"}));
  EXPECT_EQ(readings("/x%25252Fy"), (Set{"/x%25252Fy", "/x/y"}));
  EXPECT_EQ(readings("/x%255Cy"), (Set{"/x%255Cy", "/x/y"}));
  EXPECT_EQ(readings("/admin%2500.png"), (Set{"/admin%2500.png", "/admin"}));
}

TEST(PathReadings, CostTimeInProportionToTheirLength) {
  std::string path = "/";
  for (int i = 0; i < 20'000; ++i) path += "%25";
  const PathReadings all(path);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[1].size(), 20'001u) << "%25 after %25 is a percent sign without digits";
  EXPECT_EQ(PathReadings("/%" + std::string(30'000, '2') + "5").size(), 1u + 1u);
}

TEST(PathPattern, AStarTakesThePathItselfAndAllBelow) {
  const PathPattern exact("/api");
  EXPECT_TRUE(exact.matches("/api"));
  for (const char* path : {"/api/", "/api/x", "/apis", "/API", "", "*"})
    EXPECT_FALSE(exact.matches(path)) << path;
  const PathPattern below("/api/*");
  for (const char* path : {"/api", "/api/", "/api/x/y"}) EXPECT_TRUE(below.matches(path)) << path;
  for (const char* path : {"/apis", "/", "/API/x", "api/x"}) EXPECT_FALSE(below.matches(path)) << path;
  const PathPattern all("/*");
  EXPECT_TRUE(all.matches("/"));
  EXPECT_TRUE(all.matches("/x"));
  EXPECT_FALSE(all.matches("*"));
}

TEST(PathPattern, DenyLooksPastCaseAndSlashesAtTheEnd) {
  const PathPattern exact("/Admin");
  for (const char* path : {"/admin", "/ADMIN/", "/Admin"}) EXPECT_TRUE(exact.matches_loosely(path)) << path;
  EXPECT_FALSE(exact.matches_loosely("/admins"));
  EXPECT_TRUE(PathPattern("/a/*").matches_loosely("/A/b"));
  EXPECT_FALSE(PathPattern("/a/*").matches_loosely("/ab"));
  EXPECT_TRUE(PathPattern("/").matches_loosely("/"));
  EXPECT_FALSE(PathPattern("/").matches_loosely("/x"));
}

TEST(PathPattern, ARuleMayBeWrittenEncoded) {
  const PathPattern pattern("/a%20b/*");
  EXPECT_TRUE(pattern.matches("/a%20b/c"));
  EXPECT_TRUE(pattern.matches("/a b/c")) << "the decoded reading of the same path";
}

}  // namespace
}  // namespace weft::policy
