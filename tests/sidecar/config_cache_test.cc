// The cache file: replaced whole or not at all.
#include "sidecar/config_cache.h"

#include <sys/stat.h>

#include <filesystem>

#include <gtest/gtest.h>

#include "tests/sim/sim_loop.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_disk.h"

namespace weft::sidecar {
namespace {

using namespace std::chrono_literals;

TEST(ConfigCache, SeveralChangesBecomeOneFileForItsOwnerAlone) {
  const test::TempDir folder;
  sim::SimLoop loop;
  ConfigCache cache(loop, folder / "config.cache");
  EXPECT_EQ(cache.read().error().code, Code::not_found);
  int asked = 0;
  for (int i = 0; i < 3; ++i) {
    cache.write_soon([&asked] {
      ++asked;
      return std::string("state");
    });
  }
  loop.advance(1s);
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(cache.read().value(), "state");
  struct stat facts {};
  ASSERT_EQ(::stat((folder / "config.cache").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777u, 0600u);
}

TEST(ConfigCache, OnAFullDiskTheLastGoodStateStaysAndAWarningNamesFileAndReason) {
  const test::TempDir folder;
  const bool ran = test::on_tiny_disk(folder.path(), 64 * 1024, [&folder] {
    sim::SimLoop loop;
    ConfigCache cache(loop, folder / "config.cache");
    cache.write_soon([] { return std::string("good"); });
    loop.advance(1s);
    testing::internal::CaptureStderr();
    cache.write_soon([] { return std::string(1'000'000, 'x'); });
    loop.advance(1s);
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_NE(said.find("config.cache.new: No space left on device"), std::string::npos) << said;
    EXPECT_EQ(cache.read().value(), "good");
    const auto files = std::filesystem::directory_iterator(folder.path());
    EXPECT_EQ(std::distance(begin(files), end(files)), 1) << "a part was left behind";
    // There is room again.
    cache.write_soon([] { return std::string("better"); });
    loop.advance(1s);
    EXPECT_EQ(cache.read().value(), "better");
  });
  if (!ran) GTEST_SKIP() << "a file system of its own takes root";
}

}  // namespace
}  // namespace weft::sidecar
