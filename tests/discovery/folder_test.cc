#include <filesystem>

#include <gtest/gtest.h>

#include "base/text.h"
#include "discovery/folder_objects.h"
#include "discovery/folder_source.h"
#include "tests/discovery/world.h"
#include "tests/support/run_until.h"
#include "tests/support/temp_dir.h"

namespace weft::discovery {
namespace {

std::vector<std::string> told(const std::vector<Change>& changes) {
  std::vector<std::string> out;
  for (const Change& change : changes) out.push_back((change.object ? "+" : "-") + change.key.name);
  return out;
}
using Told = std::vector<std::string>;

std::string service(std::string_view name, std::string_view ip = "198.18.0.1") {
  return service_yaml(name, ip, "app: a");
}

TEST(FolderObjects, TellsWhatAFileAddsChangesAndDrops) {
  FolderObjects folder;
  EXPECT_EQ(told(folder.put_file("a.yaml", service("one") + service("two")).changes), (Told{"+one", "+two"}));
  EXPECT_EQ(told(folder.put_file("a.yaml", service("one") + service("two", "198.18.0.2")).changes),
            Told{"+two"});
  EXPECT_EQ(
      told(
          folder.put_file("a.yaml", "# a comment\n" + service("one") + service("two", "198.18.0.2")).changes),
      Told{})
      << "what means the same is no change";
  EXPECT_EQ(told(folder.put_file("a.yaml", service("two", "198.18.0.2")).changes), Told{"-one"});
  EXPECT_EQ(told(folder.remove_file("a.yaml")), Told{"-two"});
  EXPECT_EQ(told(folder.remove_file("a.yaml")), Told{});
}

TEST(FolderObjects, ABrokenFileKeepsItsLastGoodObjects) {
  FolderObjects folder;
  folder.put_file("a.yaml", service("one") + service("two"));
  const auto broken = folder.put_file("a.yaml", "a: [");
  EXPECT_EQ(told(broken.changes), Told{});
  ASSERT_EQ(broken.errors.size(), 1u);
  EXPECT_EQ(broken.errors[0].message.substr(0, 9), "a.yaml:1:");
  EXPECT_EQ(folder.broken_files(), 1u);
  const auto half = folder.put_file("a.yaml", service("one", "198.18.0.9") + service("two", "nonsense"));
  EXPECT_EQ(told(half.changes), Told{"+one"}) << "good parts count";
  EXPECT_EQ(told(folder.put_file("a.yaml", service("one", "198.18.0.9")).changes), Told{"-two"});
  EXPECT_EQ(folder.broken_files(), 0u);
}

TEST(FolderObjects, AnObjectInTwoFilesIsTheFirstFiles) {
  FolderObjects folder;
  EXPECT_EQ(told(folder.put_file("b.yaml", service("one", "198.18.0.2")).changes), Told{"+one"});
  const auto first = folder.put_file("a.yaml", service("one", "198.18.0.1"));
  ASSERT_EQ(told(first.changes), Told{"+one"});
  EXPECT_EQ(std::get<kube::Service>(*first.changes[0].object).cluster_ips.at(0).to_string(), "198.18.0.1");
  EXPECT_EQ(told(folder.put_file("b.yaml", service("one", "198.18.0.3")).changes), Told{});
  const auto back = folder.remove_file("a.yaml");
  ASSERT_EQ(told(back), Told{"+one"});
  EXPECT_EQ(std::get<kube::Service>(*back[0].object).cluster_ips.at(0).to_string(), "198.18.0.3");
}

class FolderSourceTest : public testing::Test {
 protected:
  void start() {
    source_.start(anchor_.guard([this](std::vector<Change> changes) { batches_.push_back(told(changes)); }));
  }
  bool batches(std::size_t count) {
    return test::run_until(loop_, [&] { return batches_.size() >= count; });
  }
  io::UvLoop loop_;
  test::TempDir files_;
  FolderSource source_{loop_, {files_.path()}};
  std::vector<Told> batches_;
  Anchor anchor_;
};

TEST_F(FolderSourceTest, TheFirstBatchIsEverything) {
  files_.write("a.yaml", service("one"));
  files_.write("b.json", R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"default"}})");
  files_.write(".hidden.yaml", service("hidden"));
  files_.write("notes.txt", "not a manifest");
  start();
  EXPECT_TRUE(batches_.empty());
  ASSERT_TRUE(batches(1));
  EXPECT_EQ(batches_[0], (Told{"+one", "+default"}));
}

TEST_F(FolderSourceTest, AnEmptyFolderIsAlsoAFirstBatch) {
  start();
  ASSERT_TRUE(batches(1));
  EXPECT_TRUE(batches_[0].empty());
}

TEST_F(FolderSourceTest, FilesThatComeChangeAndGoAreSeen) {
  start();
  ASSERT_TRUE(batches(1));
  files_.write("new.tmp", service("one"));
  std::filesystem::rename(files_ / "new.tmp", files_ / "new.yaml");
  ASSERT_TRUE(batches(2));
  EXPECT_EQ(batches_[1], Told{"+one"});
  files_.write("next.tmp", service("one", "198.18.0.2"));
  std::filesystem::rename(files_ / "next.tmp", files_ / "new.yaml");
  ASSERT_TRUE(batches(3));
  EXPECT_EQ(batches_[2], Told{"+one"});
  std::filesystem::remove(files_ / "new.yaml");
  ASSERT_TRUE(batches(4));
  EXPECT_EQ(batches_[3], Told{"-one"});
}

TEST_F(FolderSourceTest, ABrokenFileIsCounted) {
  files_.write("a.yaml", "a: [");
  start();
  ASSERT_TRUE(batches(1));
  EXPECT_EQ(source_.broken_files(), 1u);
  EXPECT_EQ(source_.errors(), 1u);
}

}  // namespace
}  // namespace weft::discovery
