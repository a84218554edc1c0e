// Redirects with real iptables, in a network namespace of its own that ends with the child that made it.
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "base/text.h"
#include "tests/support/run_until.h"
#include "tests/support/stream_recorder.h"

namespace weft::test {
namespace {

constexpr int not_here = 77;

// In the child: 0 when the accepted connection named the address that was asked for.
int redirected(const std::string& tool, const std::string& loopback, const std::string& asked_ip) {
  const auto commands = str_cat("ip link set lo up && ", tool,
                                " -w -t nat -A OUTPUT -p tcp --dport 8080 -j REDIRECT --to-ports 15001");
  if (unshare(CLONE_NEWNET) != 0 || std::system((commands + " 2>/dev/null").c_str()) != 0) return not_here;
  io::UvLoop loop;
  StreamRecorder server;
  StreamRecorder client;
  const auto listener =
      loop.listen(Address::parse(loopback).value(), {}, [&](auto stream) { server.take(std::move(stream)); });
  if (!listener) return 1;
  const Address asked{IpAddress::parse(asked_ip).value(), 8080};
  const auto connecting = loop.connect(asked, {}, [&](auto stream) {
    if (stream) client.take(std::move(*stream));
  });
  if (!run_until(loop, [&] { return server.stream && client.stream; })) return 2;
  const auto original = server.stream->original_destination();
  if (!original || *original != asked) {
    std::fprintf(stderr, "got %s\n",
                 original ? original->to_string().c_str() : original.error().message.c_str());
    return 3;
  }
  return client.stream->peer_address() == asked ? 0 : 4;
}

int in_child(const std::string& tool, const std::string& loopback, const std::string& asked_ip) {
  std::fflush(nullptr);
  const pid_t pid = fork();
  if (pid == 0) _exit(redirected(tool, loopback, asked_ip));
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

TEST(OriginalDestinationTest, IsTheAddressBeforeAnIpv4Redirect) {
  const int result = in_child("iptables", "0.0.0.0:15001", "127.0.0.9");
  if (result == not_here) GTEST_SKIP() << "needs root and iptables";
  EXPECT_EQ(result, 0);
}

TEST(OriginalDestinationTest, IsTheAddressBeforeAnIpv6Redirect) {
  const int result = in_child("ip6tables", "[::]:15001", "::1");
  if (result == not_here) GTEST_SKIP() << "needs root, IPv6 and ip6tables";
  EXPECT_EQ(result, 0);
}

TEST(OriginalDestinationTest, AnIpv4CallerOfADualStackListenerHasItsIpv4Address) {
  const int result = in_child("iptables", "[::]:15001", "127.0.0.9");
  if (result == not_here) GTEST_SKIP() << "needs root and iptables";
  EXPECT_EQ(result, 0);
}

}  // namespace
}  // namespace weft::test
