#include "cli/local/dns_server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>

#include "base/text.h"

namespace weft::local {

namespace {
constexpr std::uint16_t dns_port = 53;
constexpr std::size_t query_bytes_max = 4096;
constexpr std::size_t answer_bytes_max = 1232;  // fits every path without fragments (DNS flag day 2020)
}  // namespace

Result<std::unique_ptr<DnsServer>> DnsServer::start(const std::vector<IpAddress>& addresses) {
  std::vector<UniqueFd> sockets;
  for (const IpAddress& ip : addresses) {
    const Address address{ip, dns_port};
    sockaddr_storage storage{};
    const socklen_t length = address.to_sockaddr(storage);
    UniqueFd fd(::socket(storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0) {
      return fail(system_error(str_cat("DNS on ", address.to_string())));
    }
    sockets.push_back(std::move(fd));
  }
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
  if (!stop) return fail(system_error("eventfd"));
  return std::unique_ptr<DnsServer>(new DnsServer(std::move(sockets), std::move(stop)));
}

DnsServer::DnsServer(std::vector<UniqueFd> sockets, UniqueFd stop)
    : sockets_(std::move(sockets)), stop_(std::move(stop)), zone_(std::make_shared<DnsZone>()) {
  thread_ = std::thread([this] { serve(); });
}

DnsServer::~DnsServer() {
  const std::uint64_t one = 1;
  (void)!::write(stop_.get(), &one, sizeof one);
  thread_.join();
}

void DnsServer::set_zone(std::shared_ptr<const DnsZone> zone) {
  const std::lock_guard lock(mutex_);
  zone_ = std::move(zone);
}

void DnsServer::serve() {
  std::vector<pollfd> waiting;
  for (const UniqueFd& socket : sockets_) waiting.push_back({socket.get(), POLLIN, 0});
  waiting.push_back({stop_.get(), POLLIN, 0});
  while (true) {
    if (::poll(waiting.data(), waiting.size(), -1) < 0) continue;
    if (waiting.back().revents != 0) return;
    for (const pollfd& socket : waiting) {
      if (socket.revents != 0) answer_one(socket.fd);
    }
  }
}

void DnsServer::answer_one(int socket) {
  std::array<char, query_bytes_max> query;
  sockaddr_storage from{};
  socklen_t from_length = sizeof from;
  const ssize_t got =
      ::recvfrom(socket, query.data(), query.size(), 0, reinterpret_cast<sockaddr*>(&from), &from_length);
  if (got < 0) return;
  std::shared_ptr<const DnsZone> zone;
  {
    const std::lock_guard lock(mutex_);
    zone = zone_;
  }
  const std::string answer =
      answer_dns(*zone, {query.data(), static_cast<std::size_t>(got)}, answer_bytes_max);
  if (answer.empty()) return;
  ::sendto(socket, answer.data(), answer.size(), 0, reinterpret_cast<const sockaddr*>(&from), from_length);
}

}  // namespace weft::local
