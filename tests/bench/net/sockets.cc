#include "tests/bench/net/sockets.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

#include "base/text.h"

namespace weft::bench {
namespace {

constexpr int backlog = 4096;
// SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST; the kernel's headers that name it do not go with <netinet/in.h>.
constexpr int original_destination_option = 80;

bool set_option(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

Result<Descriptor> open_socket(const Address& address) {
  const int family = address.ip.is_v6() ? AF_INET6 : AF_INET;
  Descriptor socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) return fail(system_error("socket"));
  // On a listener it passes to what is accepted.
  set_option(socket.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  return socket;
}

Status bind_to(int fd, const Address& address) {
  sockaddr_storage storage{};
  const socklen_t length = address.to_sockaddr(storage);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&storage), length) != 0) {
    return fail(system_error(str_cat("bind ", address.to_string())));
  }
  return {};
}

}  // namespace

Error system_error(std::string_view what) {
  return Error{Code::io, str_cat(what, ": ", std::generic_category().message(errno))};
}

Result<Descriptor> listen_tcp(const Address& address) {
  WEFT_ASSIGN(Descriptor socket, open_socket(address));
  set_option(socket.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  WEFT_TRY(bind_to(socket.get(), address));
  if (::listen(socket.get(), backlog) != 0) {
    return fail(system_error(str_cat("listen on ", address.to_string())));
  }
  return socket;
}

Result<Descriptor> start_connect(const Address& to, const std::optional<IpAddress>& from) {
  WEFT_ASSIGN(Descriptor socket, open_socket(to));
  if (from) {
    set_option(socket.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    WEFT_TRY(bind_to(socket.get(), Address{*from, 0}));
  }
  sockaddr_storage storage{};
  const socklen_t length = to.to_sockaddr(storage);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0 &&
      errno != EINPROGRESS) {
    return fail(system_error(str_cat("connect ", to.to_string())));
  }
  return socket;
}

Status connect_outcome(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return fail(system_error("connect"));
  if (error != 0) {
    errno = error;
    return fail(system_error("connect"));
  }
  return {};
}

Result<Address> original_destination(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  auto* const address = reinterpret_cast<sockaddr*>(&storage);
  if (getsockname(fd, address, &length) != 0) return fail(system_error("getsockname"));
  const auto own = Address::from_sockaddr(address);
  length = sizeof storage;
  const int level = storage.ss_family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
  if (getsockopt(fd, level, original_destination_option, address, &length) != 0) {
    return fail(system_error("SO_ORIGINAL_DST (was the connection redirected by iptables?)"));
  }
  auto original = Address::from_sockaddr(address);
  if (original && own && *original == *own) {
    return fail(Code::refused,
                "the connection was made to this listener itself, it would go round in circles");
  }
  return original;
}

void reset_on_close(int fd) {
  const linger now{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

std::size_t raise_descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

}  // namespace weft::bench
