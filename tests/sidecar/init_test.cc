// The init container for real: rules are loaded into network namespaces of the test's own, and connections
// are made that must, or must not, be redirected. Needs root; addresses from 198.18.0.0/15 and 2001:2::/48.
#include "sidecar/init.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>

#include <gtest/gtest.h>

#include "base/text.h"
#include "sidecar/init_check.h"
#include "sidecar/init_command.h"
#include "sidecar/init_tables.h"

namespace weft::sidecar {
namespace {

using namespace std::chrono_literals;

const std::string system_path = InitOptions{}.search_path;

std::string shell(const std::string& script) {
  const auto output = run_command("/bin/sh", {"-ec", script}, {str_cat("PATH=", system_path)}, "", 20s);
  EXPECT_TRUE(output) << output.error().message;
  if (!output) return "";
  EXPECT_EQ(output->exit_code, 0) << script << "\n" << output->err;
  return output->out;
}

// A network namespace that goes when the object does.
class Namespace {
 public:
  Namespace() {
    EXPECT_EQ(unshare(CLONE_NEWNET), 0) << std::strerror(errno);
    fd_ = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  }
  ~Namespace() { close(fd_); }
  void enter() const { ASSERT_EQ(setns(fd_, CLONE_NEWNET), 0); }
  int fd() const { return fd_; }

 private:
  int fd_ = -1;
};

class InitTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) {
      ASSERT_EQ(std::getenv("CI"), nullptr) << "CI runs this as root";
      GTEST_SKIP() << "needs root to make network namespaces";
    }
    home_ = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    pod_.emplace();
  }
  void TearDown() override {
    pod_.reset();
    if (home_ < 0) return;
    EXPECT_EQ(setns(home_, CLONE_NEWNET), 0);
    close(home_);
  }
  // A device through which packets leave and vanish.
  void add_void_device() {
    shell(
        "ip link set lo up; ip link add weft0 type veth peer name weft1; ip link set weft0 up; ip link set "
        "weft1 up;"
        "ip address add 198.18.0.2/32 dev weft0; ip -6 address add 2001:2::2/128 dev weft0 nodad;"
        "ip route add default dev weft0; ip -6 route add default dev weft0");
  }
  // Runs init and returns what it wrote on standard error; the exit code goes to `exit_code`.
  std::string init(const InitOptions& options, int& exit_code) {
    testing::internal::CaptureStderr();
    exit_code = run_init(options);
    return testing::internal::GetCapturedStderr();
  }
  void init_or_fail(const InitOptions& options = {}) {
    int exit_code = -1;
    const std::string log = init(options, exit_code);
    ASSERT_EQ(exit_code, 0) << log;
  }

  std::optional<Namespace> pod_;

 private:
  int home_ = -1;
};

std::string saved_rules() {
  // Comments carry the time of day.
  return shell("for t in filter nat; do iptables-save -t $t; ip6tables-save -t $t; done | grep -v '^#'");
}

TEST_F(InitTest, RunTwiceIsTheSameAsRunOnce) {
  add_void_device();
  init_or_fail();
  const std::string once = saved_rules();
  EXPECT_NE(once.find("-A OUTPUT -p tcp -j WEFT_OUTPUT"), std::string::npos);
  init_or_fail();
  EXPECT_EQ(saved_rules(), once);
}

TEST_F(InitTest, ChangedSettingsReplaceTheOldRulesAndLeaveForeignOnesAlone) {
  add_void_device();
  shell("iptables -t nat -A OUTPUT -p tcp --dport 53 -j DNAT --to-destination 198.18.0.53:53");
  InitOptions first;
  first.rules.exclude_outbound_ports = {{9042, 9042}, {9050, 9060}};
  init_or_fail(first);
  ASSERT_NE(saved_rules().find("--dport 9042 "), std::string::npos);
  init_or_fail();
  EXPECT_EQ(saved_rules().find("--dport 9042 "), std::string::npos);
  EXPECT_NE(saved_rules().find("--to-destination 198.18.0.53:53"), std::string::npos);
  const std::string rules = saved_rules();
  EXPECT_LT(rules.find("-j WEFT_OUTPUT"), rules.find("-j DNAT")) << "weft's jump comes first";
}

TEST_F(InitTest, WorksWithTheLegacyBackendAlone) {
  add_void_device();
  const std::string folder = testing::TempDir() + "weft-legacy-only";
  shell(
      str_cat("rm -rf ", folder, "; mkdir ", folder,
              "; for t in iptables ip6tables; do for v in save restore; do ln -s $(command -v $t-legacy-$v) ",
              folder, "/$t-legacy-$v; done; done"));
  InitOptions options;
  options.search_path = folder;
  init_or_fail(options);
  EXPECT_NE(shell("iptables-legacy-save -t nat").find("-A OUTPUT -p tcp -j WEFT_OUTPUT"), std::string::npos);
  init_or_fail(options);
  std::filesystem::remove_all(folder);
}

TEST_F(InitTest, Ipv6SwitchedOffBySysctlIsAFactAndNotAnError) {
  add_void_device();
  shell("echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6");
  EXPECT_EQ(ipv6_state(), Ipv6State::off);
  init_or_fail();
}

// A folder with a real iptables and an ip6tables that fails, as on a node without the module.
std::string folder_with_failing_ip6tables() {
  const std::string folder = testing::TempDir() + "weft-broken-ip6tables";
  shell(str_cat("rm -rf ", folder, "; mkdir ", folder, "; cd ", folder,
                "; for v in save restore; do ln -s $(command -v iptables-$v) iptables-$v;"
                "printf '#!/bin/sh\\necho \"Table does not exist\" >&2\\nexit 3\\n' >ip6tables-$v;"
                "chmod 755 ip6tables-$v; done"));
  return folder;
}

TEST_F(InitTest, FailingIp6tablesIsAFactWhereIpv6IsOff) {
  add_void_device();
  shell("echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6");
  InitOptions options;
  options.search_path = folder_with_failing_ip6tables();
  int exit_code = -1;
  const std::string log = init(options, exit_code);
  EXPECT_EQ(exit_code, 0) << log;
  EXPECT_NE(log.find("IPv6 is left out"), std::string::npos) << log;
  EXPECT_NE(shell("iptables-save -t nat").find("WEFT_OUTPUT"), std::string::npos);
}

TEST_F(InitTest, FailingIp6tablesIsAnErrorWhereIpv6IsOn) {
  add_void_device();
  InitOptions options;
  options.search_path = folder_with_failing_ip6tables();
  int exit_code = -1;
  const std::string log = init(options, exit_code);
  EXPECT_EQ(exit_code, 1);
  EXPECT_NE(log.find("IPv6 is on in this namespace but cannot be redirected"), std::string::npos) << log;
  EXPECT_NE(log.find("Table does not exist"), std::string::npos)
      << "the program's own words are shown: " << log;
}

TEST_F(InitTest, WithoutIptablesTheMessageNamesThePackage) {
  InitOptions options;
  options.search_path = "/nonexistent";
  int exit_code = -1;
  const std::string log = init(options, exit_code);
  EXPECT_EQ(exit_code, 1);
  EXPECT_NE(log.find("install the package iptables"), std::string::npos) << log;
}

TEST_F(InitTest, WithoutRootTheMessageNamesTheCapability) {
  const pid_t child = fork();
  if (child == 0) {
    if (setgid(65534) != 0 || setuid(65534) != 0) _exit(9);
    int exit_code = -1;
    const std::string log = init({}, exit_code);
    _exit(exit_code == 1 && log.find("CAP_NET_ADMIN") != std::string::npos ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST_F(InitTest, CheckProvesRedirectionWhenTheOutboundPortIsFree) {
  add_void_device();
  init_or_fail();
  EXPECT_EQ(prove_outbound({}, Family::v4), Proof::redirected);
  EXPECT_EQ(prove_outbound({}, Family::v6), Proof::redirected);
  InitOptions check;
  check.check = true;
  init_or_fail(check);
}

TEST_F(InitTest, CheckSaysWhatIsMissingWithoutRules) {
  add_void_device();
  InitOptions check;
  check.check = true;
  int exit_code = -1;
  const std::string log = init(check, exit_code);
  EXPECT_EQ(exit_code, 1);
  EXPECT_NE(log.find("none of the IPv4 rules is loaded"), std::string::npos) << log;
  EXPECT_NE(log.find("outbound IPv4 traffic is not redirected; run weft-sidecar init"), std::string::npos)
      << log;
  EXPECT_NE(log.find("outbound IPv6 traffic is not redirected"), std::string::npos) << log;
}

TEST_F(InitTest, CheckFindsAnInboundRuleThatWasTakenAway) {
  add_void_device();
  init_or_fail();
  shell("iptables -t nat -D WEFT_INBOUND -p tcp -j REDIRECT --to-ports 15006");
  InitOptions check;
  check.check = true;
  int exit_code = -1;
  const std::string log = init(check, exit_code);
  EXPECT_EQ(exit_code, 1);
  EXPECT_NE(log.find("IPv4 rule missing: -A WEFT_INBOUND -p tcp -j REDIRECT --to-ports 15006"),
            std::string::npos)
      << log;
}

TEST_F(InitTest, CheckPicksATestAddressAndUserThatAreNotExcluded) {
  add_void_device();
  InitOptions options;
  options.rules.exclude_outbound_cidrs = {*Cidr::parse("198.18.0.0/15")};
  options.rules.exclude_outbound_ports = {{7, 7}};
  options.rules.exclude_uids = {0};
  init_or_fail(options);
  EXPECT_EQ(probe_target(options.rules, Family::v4)->to_string(), "192.0.2.254:8");
  EXPECT_EQ(prove_outbound(options.rules, Family::v4), Proof::redirected);
}

// ---- traffic: a pod and a caller outside of it, joined by a pair of devices ----

class InitTrafficTest : public InitTest {
 protected:
  void SetUp() override {
    InitTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    caller_.emplace();
    // The caller made its namespace last, so this runs there.
    shell(str_cat("ip link set lo up; ip link add weft1 type veth peer name weft0 netns /proc/", getpid(),
                  "/fd/", pod_->fd(), "; ip address add 198.18.0.3/24 dev weft1; ip link set weft1 up;",
                  "ip -6 address add 2001:2::3/64 dev weft1 nodad"));
    pod_->enter();
    shell(
        "ip link set lo up; ip address add 198.18.0.2/24 dev weft0; ip link set weft0 up;"
        "ip -6 address add 2001:2::2/64 dev weft0 nodad; ip route add default via 198.18.0.3");
    InitOptions options;
    options.rules.exclude_inbound_ports = {{9090, 9090}};
    options.rules.exclude_outbound_ports = {{3000, 3306}};
    options.rules.exclude_uids = {101};
    init_or_fail(options);
  }
  void TearDown() override {
    for (const int fd : sockets_) close(fd);
    caller_.reset();
    InitTest::TearDown();
  }

  int listen_in(const Namespace& where, const std::string& address) {
    where.enter();
    const int fd = new_socket(address);
    const int yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_storage storage{};
    const socklen_t length = Address::parse(address)->to_sockaddr(storage);
    EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&storage), length), 0)
        << address << ": " << std::strerror(errno);
    EXPECT_EQ(listen(fd, 8), 0);
    return fd;
  }
  // Whether a connection from `where`, made by `uid`, is answered.
  bool connect_from(const Namespace& where, const std::string& address, uid_t uid = 0) {
    where.enter();
    setfsuid(uid);
    const int fd = new_socket(address);
    setfsuid(0);
    sockaddr_storage storage{};
    const socklen_t length = Address::parse(address)->to_sockaddr(storage);
    connect(fd, reinterpret_cast<sockaddr*>(&storage), length);
    pollfd wait{fd, POLLOUT, 0};
    int error = ETIMEDOUT;
    socklen_t error_length = sizeof error;
    if (poll(&wait, 1, 2000) == 1) getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_length);
    return error == 0;
  }
  // The original destination of the connection that waits at `listener`; the local address where it was not
  // redirected; "nothing" when none waits.
  std::string arrived_at(int listener) {
    pollfd wait{listener, POLLIN, 0};
    if (poll(&wait, 1, 0) != 1) return "nothing";
    const int fd = accept(listener, nullptr, nullptr);
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length);
    const bool v4 = storage.ss_family == AF_INET;
    length = sizeof storage;
    getsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, 80, &storage, &length);
    close(fd);
    return Address::from_sockaddr(reinterpret_cast<sockaddr*>(&storage))->to_string();
  }

  int last_socket() const { return sockets_.back(); }

  std::optional<Namespace> caller_;

 private:
  int new_socket(const std::string& address) {
    const int family = Address::parse(address)->ip.is_v4() ? AF_INET : AF_INET6;
    const int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (family == AF_INET6) {
      const int yes = 1;
      setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
    }
    sockets_.push_back(fd);
    return fd;
  }
  std::vector<int> sockets_;
};

TEST_F(InitTrafficTest, InboundConnectionsArriveAtTheInboundPort) {
  const int inbound = listen_in(*pod_, "0.0.0.0:15006");
  const int inbound6 = listen_in(*pod_, "[::]:15006");
  const int application = listen_in(*pod_, "0.0.0.0:8080");
  EXPECT_TRUE(connect_from(*caller_, "198.18.0.2:8080"));
  EXPECT_EQ(arrived_at(inbound), "198.18.0.2:8080");
  EXPECT_TRUE(connect_from(*caller_, "[2001:2::2]:8080"));
  EXPECT_EQ(arrived_at(inbound6), "[2001:2::2]:8080");
  EXPECT_EQ(arrived_at(application), "nothing");
}

TEST_F(InitTrafficTest, OwnAndExcludedInboundPortsAreNotRedirected) {
  const int inbound = listen_in(*pod_, "0.0.0.0:15006");
  const int health = listen_in(*pod_, "0.0.0.0:15021");
  const int excluded = listen_in(*pod_, "0.0.0.0:9090");
  EXPECT_TRUE(connect_from(*caller_, "198.18.0.2:15021"));
  EXPECT_EQ(arrived_at(health), "198.18.0.2:15021");
  EXPECT_TRUE(connect_from(*caller_, "198.18.0.2:9090"));
  EXPECT_EQ(arrived_at(excluded), "198.18.0.2:9090");
  EXPECT_EQ(arrived_at(inbound), "nothing");
}

TEST_F(InitTrafficTest, LoopbackPortsOfTheSidecarRefuseCallersFromOutside) {
  const int inbound = listen_in(*pod_, "0.0.0.0:15006");
  const int outbound = listen_in(*pod_, "127.0.0.1:15001");
  const int admin = listen_in(*pod_, "127.0.0.1:15000");
  EXPECT_FALSE(connect_from(*caller_, "198.18.0.2:15001"));
  EXPECT_FALSE(connect_from(*caller_, "198.18.0.2:15000"));
  EXPECT_EQ(arrived_at(outbound), "nothing");
  EXPECT_EQ(arrived_at(admin), "nothing");
  EXPECT_EQ(arrived_at(inbound), "nothing");
}

TEST_F(InitTrafficTest, OutboundConnectionsArriveAtTheOutboundPort) {
  const int outbound = listen_in(*pod_, "127.0.0.1:15001");
  const int outbound6 = listen_in(*pod_, "[::1]:15001");
  const int server = listen_in(*caller_, "198.18.0.3:80");
  EXPECT_TRUE(connect_from(*pod_, "198.18.0.3:80"));
  EXPECT_EQ(arrived_at(outbound), "198.18.0.3:80");
  EXPECT_TRUE(connect_from(*pod_, "198.18.77.1:80")) << "an address that nobody has, as a Service's may be";
  EXPECT_EQ(arrived_at(outbound), "198.18.77.1:80");
  EXPECT_TRUE(connect_from(*pod_, "[2001:2::3]:80"));
  EXPECT_EQ(arrived_at(outbound6), "[2001:2::3]:80");
  EXPECT_EQ(arrived_at(server), "nothing");
}

TEST_F(InitTrafficTest, TheProxyAndExcludedUsersAndPortsGoStraightOut) {
  const int outbound = listen_in(*pod_, "127.0.0.1:15001");
  const int web = listen_in(*caller_, "198.18.0.3:80");
  const int database = listen_in(*caller_, "198.18.0.3:3306");
  EXPECT_TRUE(connect_from(*pod_, "198.18.0.3:80", 1337));
  EXPECT_EQ(arrived_at(web), "198.18.0.3:80");
  EXPECT_TRUE(connect_from(*pod_, "198.18.0.3:80", 101));
  EXPECT_EQ(arrived_at(web), "198.18.0.3:80");
  EXPECT_TRUE(connect_from(*pod_, "198.18.0.3:3306"));
  EXPECT_EQ(arrived_at(database), "198.18.0.3:3306");
  EXPECT_EQ(arrived_at(outbound), "nothing");
}

// The sidecar reaches the application at the pod's own address; that must not come back to the sidecar. Nor
// is the application's talk with itself redirected.
TEST_F(InitTrafficTest, TrafficThatStaysInThePodReachesTheApplication) {
  const int inbound = listen_in(*pod_, "0.0.0.0:15006");
  const int outbound = listen_in(*pod_, "127.0.0.1:15001");
  const int application = listen_in(*pod_, "0.0.0.0:8080");
  for (const uid_t uid : {uid_t{0}, uid_t{1337}}) {
    for (const std::string address : {"198.18.0.2:8080", "127.0.0.1:8080", "127.9.9.9:8080"}) {
      EXPECT_TRUE(connect_from(*pod_, address, uid)) << address << " by " << uid;
      EXPECT_EQ(arrived_at(application), address) << " by " << uid;
    }
  }
  EXPECT_EQ(arrived_at(inbound), "nothing");
  EXPECT_EQ(arrived_at(outbound), "nothing");
}

// What a connection sends next and expects next (tcp(7), TCP_REPAIR).
std::uint32_t queue_sequence(int fd, int queue) {
  int on = TCP_REPAIR_ON;
  int off = TCP_REPAIR_OFF_NO_WP;
  std::uint32_t sequence = 0;
  socklen_t length = sizeof sequence;
  EXPECT_EQ(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof on), 0) << std::strerror(errno);
  EXPECT_EQ(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue, sizeof queue), 0);
  EXPECT_EQ(getsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &sequence, &length), 0);
  EXPECT_EQ(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &off, sizeof off), 0);
  return sequence;
}

// A segment of the connection `fd`, by a raw socket of the current namespace, but far beyond any window.
void send_stray(int fd, const char* from, const char* to, std::uint16_t to_port) {
  constexpr std::uint32_t beyond = 1u << 30;
  constexpr int receive_queue = 1;
  constexpr int send_queue = 2;
  sockaddr_storage storage{};
  socklen_t storage_length = sizeof storage;
  getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &storage_length);
  const std::uint16_t from_port = Address::from_sockaddr(reinterpret_cast<sockaddr*>(&storage))->port;
  struct Segment {
    in_addr from, to;  // the pseudo-header of the checksum (RFC 9293 § 3.1)
    std::uint16_t protocol = htons(IPPROTO_TCP), length = htons(sizeof(tcphdr) + 4);
    tcphdr head{};
    char data[4] = {'l', 'o', 's', 't'};
  } segment{};
  inet_pton(AF_INET, from, &segment.from);
  inet_pton(AF_INET, to, &segment.to);
  segment.head.source = htons(from_port);
  segment.head.dest = htons(to_port);
  segment.head.seq = htonl(queue_sequence(fd, send_queue) + beyond);
  segment.head.doff = sizeof(tcphdr) / 4;
  segment.head.ack = 1;
  segment.head.ack_seq = htonl(queue_sequence(fd, receive_queue));
  segment.head.window = htons(1000);
  std::array<std::uint16_t, sizeof segment / 2> words{};
  std::memcpy(words.data(), &segment, sizeof segment);
  std::uint32_t sum = std::accumulate(words.begin(), words.end(), std::uint32_t{0});
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  segment.head.check = static_cast<std::uint16_t>(~sum);

  const int raw = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);
  sockaddr_in target{};
  target.sin_family = AF_INET;
  target.sin_addr = segment.to;
  // A packet that a rule drops on its way out is EPERM here.
  const auto sent = sendto(raw, &segment.head, sizeof segment.head + sizeof segment.data, 0,
                           reinterpret_cast<sockaddr*>(&target), sizeof target);
  EXPECT_TRUE(sent > 0 || errno == EPERM) << std::strerror(errno);
  close(raw);
}

// Connection tracking that is not told to be liberal, as in a cluster.
class InitStrayTest : public InitTrafficTest {
 protected:
  void SetUp() override {
    InitTrafficTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    EXPECT_EQ(shell("cat /proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal"), "1\n");
    shell("echo 0 >/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal");
  }
};

TEST_F(InitStrayTest, APacketThatIsNotRedirectedDoesNotEndItsConnection) {
  const int inbound = listen_in(*pod_, "0.0.0.0:15006");
  listen_in(*pod_, "0.0.0.0:8080");
  ASSERT_TRUE(connect_from(*caller_, "198.18.0.2:8080"));
  const int accepted = accept(inbound, nullptr, nullptr);
  ASSERT_GE(accepted, 0);
  send_stray(last_socket(), "198.18.0.3", "198.18.0.2", 8080);
  shell("sleep 0.1");
  EXPECT_EQ(send(last_socket(), "on", 2, MSG_NOSIGNAL), 2) << std::strerror(errno);
  pollfd wait{accepted, POLLIN, 0};
  poll(&wait, 1, 2000);
  char word[8] = {};
  EXPECT_EQ(recv(accepted, word, sizeof word, MSG_DONTWAIT), 2) << std::strerror(errno);
  close(accepted);
}

TEST_F(InitStrayTest, NothingOfTheApplicationLeavesPastTheProxy) {
  listen_in(*pod_, "127.0.0.1:15001");
  caller_->enter();
  const int wire = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
  ASSERT_TRUE(connect_from(*pod_, "198.18.0.3:80"));
  send_stray(last_socket(), "198.18.0.2", "198.18.0.3", 80);
  shell("sleep 0.1");
  EXPECT_EQ(recv(wire, nullptr, 0, 0), -1) << "a packet left the pod without the proxy";
  // The wire is seen at all: an excluded port's packet goes out.
  send_stray(last_socket(), "198.18.0.2", "198.18.0.3", 3000);
  shell("sleep 0.1");
  EXPECT_GE(recv(wire, nullptr, 0, 0), 0);
  close(wire);
}

}  // namespace
}  // namespace weft::sidecar
