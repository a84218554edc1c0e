#include "sidecar/init_check.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>

#include "base/text.h"

namespace weft::sidecar {
namespace {

using namespace std::chrono_literals;

constexpr auto answer_wait = 2s;
constexpr std::uint16_t probe_port = 7;
constexpr int original_destination_option = 80;  // SO_ORIGINAL_DST, linux/netfilter_ipv4.h; IPv6 has the same

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }
  bool open() const { return fd_ >= 0; }

 private:
  int fd_;
};

int socket_family(Family family) { return family == Family::v4 ? AF_INET : AF_INET6; }

// The rules look at the user who made the socket: one whose traffic they do redirect.
std::optional<uid_t> redirected_uid(const RuleSettings& settings) {
  auto passes = [&](uid_t uid) {
    const auto& excluded = settings.exclude_uids;
    return uid == settings.proxy_uid || std::find(excluded.begin(), excluded.end(), uid) != excluded.end();
  };
  if (!passes(geteuid())) return geteuid();
  if (geteuid() != 0) return std::nullopt;
  for (uid_t uid = 65534; uid > 60000; --uid) {
    if (!passes(uid)) return uid;
  }
  return std::nullopt;
}

bool wait_for(int fd, short events) {
  pollfd wait{fd, events, 0};
  const auto milliseconds = std::chrono::milliseconds(answer_wait).count();
  return poll(&wait, 1, static_cast<int>(milliseconds)) > 0;
}

// True: listening. False: somebody listens there already.
Result<bool> listen_on(const Socket& listener, const Address& address) {
  const int yes = 1;
  setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_storage storage{};
  const socklen_t length = address.to_sockaddr(storage);
  const auto* name = reinterpret_cast<const sockaddr*>(&storage);
  if (bind(listener.get(), name, length) == 0 && listen(listener.get(), 1) == 0) return true;
  if (errno == EADDRINUSE) return false;
  return fail(Code::io, str_cat("listen on ", address.to_string(), ": ", std::strerror(errno)));
}

Status check_original_destination(const Socket& listener, const Address& target) {
  const Socket accepted(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  const int level = target.ip.is_v6() ? IPPROTO_IPV6 : IPPROTO_IP;
  if (getsockopt(accepted.get(), level, original_destination_option, &storage, &length) != 0) {
    return fail(Code::io, str_cat("a redirected connection has no original destination (SO_ORIGINAL_DST): ",
                                  std::strerror(errno), ": is the kernel module nf_conntrack there?"));
  }
  WEFT_ASSIGN(const Address original, Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&storage)));
  if (original == target) return {};
  return fail(Code::internal, str_cat("a connection to ", target.to_string(),
                                      " arrived with the original destination ", original.to_string()));
}

// A socket that belongs to `uid`, as the rules see it.
int socket_of(uid_t uid, Family family) {
  const int uid_before = setfsuid(uid);
  const int fd = socket(socket_family(family), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  setfsuid(static_cast<uid_t>(uid_before));
  return fd;
}

// 0, or the errno with which it failed at once.
int begin_connect(const Socket& from, const Address& target) {
  sockaddr_storage storage{};
  const socklen_t length = target.to_sockaddr(storage);
  if (connect(from.get(), reinterpret_cast<const sockaddr*>(&storage), length) == 0) return 0;
  return errno == EINPROGRESS ? 0 : errno;
}

// 0, or the errno with which the attempt ended.
int wait_connected(const Socket& from) {
  if (!wait_for(from.get(), POLLOUT)) return ETIMEDOUT;
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(from.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  return error;
}

}  // namespace

Result<Address> probe_target(const RuleSettings& settings, Family family) {
  const std::vector<std::string_view> candidates =
      family == Family::v4 ? std::vector<std::string_view>{"198.19.255.254", "192.0.2.254", "203.0.113.254"}
                           : std::vector<std::string_view>{"2001:2:0:ffff::fffe", "2001:db8:ffff::fffe"};
  for (const std::string_view candidate : candidates) {
    WEFT_ASSIGN(const IpAddress ip, IpAddress::parse(candidate));
    const bool excluded =
        std::any_of(settings.exclude_outbound_cidrs.begin(), settings.exclude_outbound_cidrs.end(),
                    [&](const Cidr& cidr) { return cidr.contains(ip); });
    if (excluded) continue;
    std::uint16_t port = probe_port;
    const auto& ranges = settings.exclude_outbound_ports;
    const auto excludes = [&](const policy::PortRange& range) { return range.contains(port); };
    while (port != 0 && std::any_of(ranges.begin(), ranges.end(), excludes)) ++port;
    if (port == 0) break;
    return Address{ip, port};
  }
  return fail(Code::not_found, str_cat("every ", family_name(family),
                                       " test address or port is excluded, so nothing can be proved"));
}

Result<Proof> prove_outbound(const RuleSettings& settings, Family family) {
  WEFT_ASSIGN(const Address target, probe_target(settings, family));
  const auto uid = redirected_uid(settings);
  if (!uid) {
    return fail(Code::refused,
                str_cat("user ", geteuid(), " is not redirected by design: run the check as another"));
  }
  const IpAddress loopback = family == Family::v4 ? IpAddress::v4(0x7f000001) : *IpAddress::parse("::1");
  const Address redirected_to{loopback, settings.outbound_port};
  const Socket listener(socket(socket_family(family), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!listener.open()) return Proof::no_route;  // the kernel does not know the family
  const auto listening = listen_on(listener, redirected_to);
  if (!listening && family == Family::v6) return Proof::no_route;  // no ::1: IPv6 is off
  if (!listening) return fail(listening.error());

  const Socket caller(socket_of(*uid, family));
  int error = begin_connect(caller, target);
  if (error == ENETUNREACH || error == EADDRNOTAVAIL) return Proof::no_route;
  if (error == 0 && *listening) {
    if (wait_for(listener.get(), POLLIN)) {
      WEFT_TRY(check_original_destination(listener, target));
      return Proof::redirected;
    }
    error = ETIMEDOUT;
  }
  // Somebody else listens, the sidecar most likely: nobody but the outbound port would answer for this
  // address.
  if (error == 0) error = wait_connected(caller);
  if (error == 0) return Proof::redirected;
  return fail(Code::refused,
              str_cat("a connection to ", target.to_string(), " ended with '", std::strerror(error),
                      "' instead of arriving at ", redirected_to.to_string(), ": outbound ",
                      family_name(family), " traffic is not redirected; run weft-sidecar init"));
}

}  // namespace weft::sidecar
