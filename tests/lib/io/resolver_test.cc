#include "io/resolver.h"

#include <optional>

#include <gtest/gtest.h>

#include "base/text.h"
#include "tests/support/dns_server.h"
#include "tests/support/run_until.h"
#include "tests/support/temp_dir.h"

namespace weft::test {
namespace {

using namespace std::chrono_literals;

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }

class ResolverTest : public ::testing::Test {
 protected:
  using Answer = Result<std::vector<IpAddress>>;

  io::ResolverOptions options() {
    io::ResolverOptions made;
    made.servers = {server_.address()};
    made.timeout = 100ms;
    made.tries = 1;
    made.resolv_conf =
        dir_.write("resolv.conf", "search default.svc.cluster.local svc.cluster.local\noptions ndots:5\n");
    return made;
  }

  Answer resolve(const std::string& name) {
    auto resolver = io::make_resolver(loop_, options());
    EXPECT_TRUE(resolver) << resolver.error().message;
    std::optional<Answer> answer;
    const auto resolving = (*resolver)->resolve(name, [&](Answer a) { answer = std::move(a); });
    EXPECT_FALSE(answer) << "never inline";
    EXPECT_TRUE(run_until(loop_, [&] { return answer.has_value(); }));
    return answer.value_or(fail(Code::internal, "no answer"));
  }

  TempDir dir_;
  io::UvLoop loop_;
  DnsServer server_{loop_};
};

TEST_F(ResolverTest, GivesBothFamiliesIpv4First) {
  server_.names["echo.example"] = {ip("2001:2::7"), ip("198.18.0.7"), ip("198.18.0.8")};
  const auto answer = resolve("echo.example.");
  ASSERT_TRUE(answer) << answer.error().message;
  ASSERT_EQ(answer->size(), 3u);
  EXPECT_TRUE((*answer)[0].is_v4());
  EXPECT_TRUE((*answer)[1].is_v4());
  EXPECT_EQ((*answer)[2], ip("2001:2::7"));
}

TEST_F(ResolverTest, TriesTheSearchDomainsInOrder) {
  server_.names["hello.svc.cluster.local"] = {ip("198.18.0.9")};
  const auto answer = resolve("hello");
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(*answer, std::vector{ip("198.18.0.9")});
  ASSERT_FALSE(server_.asked.empty());
  EXPECT_EQ(server_.asked.front(), "hello.default.svc.cluster.local");
}

TEST_F(ResolverTest, AnAddressIsItselfAndLocalhostIsLoopbackWithoutAnyQuestion) {
  EXPECT_EQ(resolve("198.18.0.1").value(), std::vector{ip("198.18.0.1")});
  EXPECT_EQ(resolve("2001:2::1").value(), std::vector{ip("2001:2::1")});
  for (const auto* name : {"localhost", "LocalHost.", "a.localhost"}) {
    EXPECT_EQ(resolve(name).value(), (std::vector{ip("127.0.0.1"), ip("::1")})) << name;
  }
  EXPECT_TRUE(server_.asked.empty());
}

TEST_F(ResolverTest, AnUnknownNameIsNotFoundAndNamed) {
  const auto answer = resolve("nobody.example.");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::not_found);
  EXPECT_EQ(answer.error().message, "resolve nobody.example.: Domain name not found");
}

TEST_F(ResolverTest, AServerThatIsSilentIsATimeout) {
  server_.silent.insert("slow.example");
  const auto answer = resolve("slow.example.");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::timeout);
}

TEST_F(ResolverTest, DestroyedTheQuestionIsCancelled) {
  server_.names["echo.example"] = {ip("198.18.0.7")};
  const auto resolver = io::make_resolver(loop_, options());
  ASSERT_TRUE(resolver);
  bool cancelled_called = false;
  bool other_called = false;
  auto cancelled = (*resolver)->resolve("echo.example.", [&](auto) { cancelled_called = true; });
  const auto other = (*resolver)->resolve("echo.example.", [&](auto) { other_called = true; });
  cancelled.reset();
  ASSERT_TRUE(run_until(loop_, [&] { return other_called; }));
  EXPECT_FALSE(cancelled_called);
}

TEST_F(ResolverTest, DestroyingTheResolverCancelsEverything) {
  server_.silent.insert("slow.example");
  auto resolver = io::make_resolver(loop_, options());
  ASSERT_TRUE(resolver);
  bool called = false;
  const auto resolving = (*resolver)->resolve("slow.example.", [&](auto) { called = true; });
  run_for(loop_, 10ms);
  resolver->reset();
  run_for(loop_, 300ms);
  EXPECT_FALSE(called);
}

TEST_F(ResolverTest, MayBeDestroyedInItsOwnAnswer) {
  auto resolver = io::make_resolver(loop_, options());
  ASSERT_TRUE(resolver);
  bool called = false;
  std::unique_ptr<io::Resolving> resolving;
  resolving = (*resolver)->resolve("nobody.example.", [&](auto) {
    resolving.reset();
    resolver->reset();
    called = true;
  });
  EXPECT_TRUE(run_until(loop_, [&] { return called; }));
}

}  // namespace
}  // namespace weft::test
