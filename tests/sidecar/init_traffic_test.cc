// The init container for real: connections of a pod and of a caller outside of it that must, or must not, be
// redirected. Needs root; addresses from 198.18.0.0/15 and 2001:2::/48.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/fsuid.h>

#include <array>
#include <numeric>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include "base/address.h"
#include "tests/sidecar/init_pod.h"

namespace weft::sidecar {
namespace {

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
    static_cast<void>(connect(fd, reinterpret_cast<sockaddr*>(&storage), length));
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

constexpr std::string_view lost = "lost";

struct Segment {
  tcphdr head{};
  char data[lost.size()]{};
};

// Of a segment between two addresses of IPv4 (RFC 9293 § 3.1).
std::uint16_t checksum(const sockaddr_storage& from, const sockaddr_storage& to, const Segment& segment) {
  struct {
    in_addr from, to;
    std::uint16_t protocol = htons(IPPROTO_TCP), length = htons(sizeof(Segment));
    Segment segment;
  } summed{};
  summed.from = reinterpret_cast<const sockaddr_in&>(from).sin_addr;
  summed.to = reinterpret_cast<const sockaddr_in&>(to).sin_addr;
  summed.segment = segment;
  std::array<std::uint16_t, sizeof summed / 2> words{};
  std::memcpy(words.data(), &summed, sizeof summed);
  std::uint32_t sum = std::accumulate(words.begin(), words.end(), std::uint32_t{0});
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

// A segment of the connection `fd` that says `lost`, by a raw socket of the current namespace and user, but
// far beyond any window.
void send_stray(int fd) {
  constexpr std::uint32_t beyond = 1u << 30;
  constexpr int receive_queue = 1;
  constexpr int send_queue = 2;
  sockaddr_storage from{};
  sockaddr_storage to{};
  socklen_t length = sizeof from;
  EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&from), &length), 0);
  EXPECT_EQ(getpeername(fd, reinterpret_cast<sockaddr*>(&to), &length), 0);
  // The port stands at the same place in both families.
  in_port_t& to_port = reinterpret_cast<sockaddr_in&>(to).sin_port;
  Segment segment;
  lost.copy(segment.data, lost.size());
  segment.head.source = reinterpret_cast<sockaddr_in&>(from).sin_port;
  segment.head.dest = to_port;
  segment.head.seq = htonl(queue_sequence(fd, send_queue) + beyond);
  segment.head.doff = sizeof(tcphdr) / 4;
  segment.head.ack = 1;
  segment.head.ack_seq = htonl(queue_sequence(fd, receive_queue));
  segment.head.window = htons(1000);

  const int raw = socket(to.ss_family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);
  if (to.ss_family == AF_INET) {
    segment.head.check = checksum(from, to, segment);
  } else {
    const int place = offsetof(tcphdr, check);
    EXPECT_EQ(setsockopt(raw, IPPROTO_IPV6, IPV6_CHECKSUM, &place, sizeof place), 0);
  }
  to_port = 0;  // a raw socket has none
  // A packet that a rule drops on its way out is EPERM here.
  const auto sent = sendto(raw, &segment, sizeof segment, 0, reinterpret_cast<sockaddr*>(&to), length);
  EXPECT_TRUE(sent > 0 || errno == EPERM) << std::strerror(errno);
  close(raw);
}

struct Family {
  const char* name;
  int number;
  std::string pod, caller, loopback, any;
};
const Family families[] = {
    {"IPv4", AF_INET, "198.18.0.2", "198.18.0.3", "127.0.0.1", "0.0.0.0"},
    {"IPv6", AF_INET6, "[2001:2::2]", "[2001:2::3]", "[::1]", "[::]"},
};

// Connection tracking that is not told to be liberal, as in a cluster.
class InitStrayTest : public InitTrafficTest, public testing::WithParamInterface<Family> {
 protected:
  void SetUp() override {
    InitTrafficTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    EXPECT_EQ(shell("cat /proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal"), "1\n");
    shell("echo 0 >/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal");
  }
  // How many strays of the pod's connection `fd`, sent by `uid`, come to the caller.
  int strays_that_leave(int fd, uid_t uid = 0) {
    caller_->enter();
    const int wire = socket(GetParam().number, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    pod_->enter();
    setfsuid(uid);
    send_stray(fd);
    setfsuid(0);
    shell("sleep 0.1");
    int count = 0;
    std::array<char, 256> packet{};
    for (ssize_t size = 0; (size = recv(wire, packet.data(), packet.size(), 0)) > 0;)
      count += std::string_view(packet.data(), static_cast<std::size_t>(size)).ends_with(lost) ? 1 : 0;
    close(wire);
    return count;
  }
};

TEST_P(InitStrayTest, APacketThatIsNotRedirectedDoesNotEndItsConnection) {
  const int inbound = listen_in(*pod_, GetParam().any + ":15006");
  listen_in(*pod_, GetParam().any + ":8080");
  ASSERT_TRUE(connect_from(*caller_, GetParam().pod + ":8080"));
  const int accepted = accept(inbound, nullptr, nullptr);
  ASSERT_GE(accepted, 0);
  send_stray(last_socket());
  shell("sleep 0.1");
  EXPECT_EQ(send(last_socket(), "on", 2, MSG_NOSIGNAL), 2) << std::strerror(errno);
  pollfd wait{accepted, POLLIN, 0};
  poll(&wait, 1, 2000);
  char word[8] = {};
  EXPECT_EQ(recv(accepted, word, sizeof word, MSG_DONTWAIT), 2) << std::strerror(errno);
  close(accepted);
}

TEST_P(InitStrayTest, NothingOfTheApplicationLeavesPastTheProxy) {
  listen_in(*pod_, GetParam().loopback + ":15001");
  ASSERT_TRUE(connect_from(*pod_, GetParam().caller + ":80"));
  EXPECT_EQ(strays_that_leave(last_socket()), 0) << "a packet left the pod without the proxy";
}

// What is not redirected is not touched: it would only be lost.
TEST_P(InitStrayTest, PacketsOfConnectionsThatAreNotRedirectedLeave) {
  listen_in(*caller_, GetParam().caller + ":80");
  listen_in(*caller_, GetParam().caller + ":3306");
  for (const auto& [port, uid] : {std::pair(":3306", 0u), std::pair(":80", 101u), std::pair(":80", 1337u)}) {
    const std::string address = GetParam().caller + port;
    ASSERT_TRUE(connect_from(*pod_, address, uid)) << address << " by " << uid;
    EXPECT_EQ(strays_that_leave(last_socket(), uid), 1) << address << " by " << uid;
  }
}

TEST_P(InitStrayTest, AnswersOnAnExcludedPortLeave) {
  const int excluded = listen_in(*pod_, GetParam().any + ":9090");
  ASSERT_TRUE(connect_from(*caller_, GetParam().pod + ":9090"));
  const int accepted = accept(excluded, nullptr, nullptr);
  EXPECT_EQ(strays_that_leave(accepted), 1);
  close(accepted);
}

// As the proxy answers on the inbound port: the caller knows no connection with that, and would reset it.
TEST_P(InitStrayTest, NothingLeavesFromTheInboundPort) {
  const int inbound = listen_in(*pod_, GetParam().any + ":15006");
  ASSERT_TRUE(connect_from(*caller_, GetParam().pod + ":8080"));
  const int accepted = accept(inbound, nullptr, nullptr);
  EXPECT_EQ(strays_that_leave(accepted, 1337), 0);
  close(accepted);
}

INSTANTIATE_TEST_SUITE_P(Families, InitStrayTest, testing::ValuesIn(families),
                         [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace weft::sidecar
