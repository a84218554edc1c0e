#include "io/file_watch.h"

#include <unistd.h>

#include <filesystem>

#include <gtest/gtest.h>

#include "tests/support/run_until.h"
#include "tests/support/temp_dir.h"

namespace weft::test {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

class FileWatchTest : public ::testing::Test {
 protected:
  void watch(const std::string& path) {
    auto made = io::watch_files(
        loop_, {path}, [this] { ++changes_; }, 5ms);
    ASSERT_TRUE(made) << made.error().message;
    watch_ = std::move(*made);
  }
  bool told() {
    const int before = told_;
    const bool came = run_until(
        loop_, [&] { return changes_ > before; }, 5s);
    told_ = changes_;
    return came;
  }
  bool stays_quiet() {
    run_for(loop_, 60ms);
    return changes_ == told_;
  }

  TempDir dir_;
  io::UvLoop loop_;
  std::unique_ptr<io::FileWatch> watch_;
  int changes_ = 0;
  int told_ = 0;
};

TEST_F(FileWatchTest, TellsOfAFileWrittenInPlace) {
  watch(dir_.write("a", "1"));
  EXPECT_TRUE(stays_quiet());
  dir_.write("a", "22");
  EXPECT_TRUE(told());
  EXPECT_TRUE(stays_quiet());
}

TEST_F(FileWatchTest, TellsOfAFileReplacedByRenameEachTime) {
  watch(dir_.write("a", "1"));
  for (int i = 0; i < 3; ++i) {
    fs::rename(dir_.write("a.new", "1"), dir_ / "a");
    EXPECT_TRUE(told()) << i;
    EXPECT_TRUE(stays_quiet());
  }
}

TEST_F(FileWatchTest, DoesNotTellOfANeighbour) {
  watch(dir_.write("a", "1"));
  dir_.write("b", "1");
  EXPECT_TRUE(stays_quiet());
}

TEST_F(FileWatchTest, TellsOfAFileThatIsMadeLaterAndOfItsEnd) {
  watch(dir_ / "later");
  dir_.write("later", "1");
  EXPECT_TRUE(told());
  fs::remove(dir_ / "later");
  EXPECT_TRUE(told());
}

TEST_F(FileWatchTest, TellsOfAFileWhoseFoldersAreMadeLater) {
  watch(dir_ / "x/y/file");
  fs::create_directories(dir_ / "x/y");
  run_for(loop_, 30ms);
  dir_.write("x/y/file", "1");
  EXPECT_TRUE(told());
}

// As the kubelet does it: the file is a link into ..data, itself a link that is renamed over.
TEST_F(FileWatchTest, TellsOfAConfigMapSwapEachTime) {
  fs::create_directory(dir_ / "..2026_1");
  dir_.write("..2026_1/root.pem", "one");
  fs::create_directory_symlink("..2026_1", dir_ / "..data");
  fs::create_symlink("..data/root.pem", dir_ / "root.pem");
  watch(dir_ / "root.pem");
  for (const std::string next : {"..2026_2", "..2026_3"}) {
    const std::string last = fs::read_symlink(dir_ / "..data");
    fs::create_directory(dir_ / next);
    dir_.write(next + "/root.pem", next);
    fs::create_directory_symlink(next, dir_ / "..data_tmp");
    fs::rename(dir_ / "..data_tmp", dir_ / "..data");
    fs::remove_all(dir_ / last);
    EXPECT_TRUE(told()) << next;
    EXPECT_TRUE(stays_quiet());
  }
}

TEST_F(FileWatchTest, TellsOfAnyFileOfAFolder) {
  fs::create_directory(dir_ / "manifests");
  watch(dir_ / "manifests");
  dir_.write("manifests/a.yaml", "1");
  EXPECT_TRUE(told());
  dir_.write("manifests/a.yaml", "22");
  EXPECT_TRUE(told());
  fs::remove(dir_ / "manifests/a.yaml");
  EXPECT_TRUE(told());
}

TEST_F(FileWatchTest, TellsAFlurryOnce) {
  const auto path = dir_.write("a", "0");
  auto made = io::watch_files(
      loop_, {path}, [this] { ++changes_; }, 50ms);
  ASSERT_TRUE(made);
  watch_ = std::move(*made);
  for (int i = 0; i < 20; ++i) dir_.write("a", std::string(static_cast<std::size_t>(i), 'x'));
  EXPECT_TRUE(told());
  EXPECT_TRUE(stays_quiet());
  EXPECT_EQ(changes_, 1);
}

TEST_F(FileWatchTest, MayBeDestroyedInItsOwnCallback) {
  const auto path = dir_.write("a", "0");
  auto made = io::watch_files(
      loop_, {path},
      [this] {
        watch_.reset();
        ++changes_;
      },
      5ms);
  ASSERT_TRUE(made);
  watch_ = std::move(*made);
  dir_.write("a", "11");
  EXPECT_TRUE(told());
  dir_.write("a", "222");
  EXPECT_TRUE(stays_quiet());
}

}  // namespace
}  // namespace weft::test
