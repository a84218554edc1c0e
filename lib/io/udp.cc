#include "io/udp.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "base/limits.h"
#include "base/text.h"
#include "io/descriptor.h"
#include "io/uv_error.h"
#include "io/uv_handle.h"
#include "io/uv_loop.h"

namespace weft::io {
namespace {

using Received = Function<void(const Address&, std::string_view)>;

constexpr int datagrams_per_turn = 64;

class UvUdpSocket final : public UdpSocket {
 public:
  UvUdpSocket(UvLoop& loop, Descriptor socket, const Address& local, Received received)
      : loop_(loop),
        socket_(std::move(socket)),
        local_(local),
        received_(std::make_shared<Received>(std::move(received))) {}
  ~UvUdpSocket() override { poll_.close(); }  // before the descriptor that it watches

  Status start() {
    int status =
        poll_.open(this, [&](uv_poll_t* poll) { return uv_poll_init(loop_.raw(), poll, socket_.get()); });
    if (status >= 0) status = uv_poll_start(poll_.get(), UV_READABLE, &UvUdpSocket::readable);
    if (status < 0) return fail(system_error(status, "watch the socket"));
    return {};
  }

  const Address& local_address() const override { return local_; }
  void send(const Address& to, std::string_view datagram) override {
    sockaddr_storage storage{};
    const socklen_t length = to.to_sockaddr(storage);
    static_cast<void>(sendto(socket_.get(), datagram.data(), datagram.size(), MSG_NOSIGNAL,
                             reinterpret_cast<const sockaddr*>(&storage), length));
  }

 private:
  static void readable(uv_poll_t* poll, int, int) {
    const auto self = [poll] { return static_cast<UvUdpSocket*>(poll->data); };
    for (int i = 0; i < datagrams_per_turn && self(); ++i) {
      sockaddr_storage storage{};
      socklen_t length = sizeof storage;
      char* const buffer = self()->loop_.read_buffer();
      const ssize_t count = recvfrom(self()->socket_.get(), buffer, limits::read_chunk_bytes, 0,
                                     reinterpret_cast<sockaddr*>(&storage), &length);
      if (count < 0 && errno != ECONNREFUSED) return;  // nothing more; or an answer that nobody wanted
      const auto from = Address::from_sockaddr(reinterpret_cast<sockaddr*>(&storage));
      if (count < 0 || !from) continue;
      const auto received = self()->received_;  // the callback may destroy the socket
      (*received)(*from, {buffer, static_cast<std::size_t>(count)});
    }
  }

  UvLoop& loop_;
  Descriptor socket_;
  Address local_;
  std::shared_ptr<Received> received_;
  UvHandle<uv_poll_t> poll_;
};

}  // namespace

Result<std::unique_ptr<UdpSocket>> bind_udp(UvLoop& loop, const Address& address, Received received) {
  const auto what = str_cat("bind UDP ", address.to_string());
  Descriptor socket(
      ::socket(address.ip.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) return fail(system_error(-errno, what));
  if (address.ip.is_v6()) {
    const int only_v6 = 1;
    setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof only_v6);
  }
  sockaddr_storage storage{};
  socklen_t length = address.to_sockaddr(storage);
  auto* const generic = reinterpret_cast<sockaddr*>(&storage);
  if (bind(socket.get(), generic, length) != 0) return fail(system_error(-errno, what));
  length = sizeof storage;
  getsockname(socket.get(), generic, &length);
  WEFT_ASSIGN(const Address local, Address::from_sockaddr(generic));
  auto made = std::make_unique<UvUdpSocket>(loop, std::move(socket), local, std::move(received));
  WEFT_TRY(made->start());
  return made;
}

}  // namespace weft::io
