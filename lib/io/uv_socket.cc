#include "io/uv_socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "io/descriptor.h"
#include "io/uv_error.h"
#include "io/uv_handle.h"
#include "io/uv_stream.h"

namespace weft::io {
namespace {

// So that one busy listener does not starve the connections it already has.
constexpr int accepts_per_turn = 64;
// How long a listener rests when the process has no descriptor left for what is waiting.
constexpr auto descriptor_pause_ms = 100;
// A dead peer is noticed after about two minutes of silence.
constexpr int keep_alive_idle_seconds = 60;
constexpr int keep_alive_interval_seconds = 15;
constexpr int keep_alive_probes = 4;

bool set_option(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

// On a listener they pass to what it accepts.
void set_tcp_options(int fd) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, keep_alive_idle_seconds);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, keep_alive_interval_seconds);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, keep_alive_probes);
}

Descriptor open_socket(int family) {
  return Descriptor(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

Result<sockaddr_un> unix_address(const std::string& path, std::string_view what) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return fail(Code::invalid, str_cat(what, ": a socket's path has 1 to ", sizeof address.sun_path - 1,
                                       " bytes, this one has ", path.size()));
  }
  path.copy(address.sun_path, path.size());
  return address;
}

const sockaddr* generic(const sockaddr_un& address) { return reinterpret_cast<const sockaddr*>(&address); }

// The file that a Unix listener made: removed with it, unless somebody has put another in its place.
class SocketFile {
 public:
  SocketFile() = default;
  explicit SocketFile(std::string path) : path_(std::move(path)) {
    struct stat status {};
    if (lstat(path_.c_str(), &status) == 0) inode_ = status.st_ino;
  }
  ~SocketFile() {
    struct stat status {};
    if (!path_.empty() && lstat(path_.c_str(), &status) == 0 && status.st_ino == inode_)
      unlink(path_.c_str());
  }
  SocketFile(SocketFile&& other) noexcept : path_(std::exchange(other.path_, {})), inode_(other.inode_) {}
  SocketFile& operator=(SocketFile&&) = delete;

 private:
  std::string path_;
  ino_t inode_ = 0;
};

// Accepts by itself: libuv's listener would close what it has no descriptor for.
class UvListener final : public Listener {
 public:
  UvListener(UvLoop& loop, Address local, SocketFile file, Function<void(std::unique_ptr<Stream>)> accepted)
      : loop_(loop),
        local_(local),
        file_(std::move(file)),
        accepted_(std::move(accepted)),
        rest_(loop.make_timer([this] { listen(); })) {}

  ~UvListener() override { poll_.close(); }  // before the descriptor that it watches

  Status open(Descriptor socket) {
    const int status =
        poll_.open(this, [&](uv_poll_t* poll) { return uv_poll_init(loop_.raw(), poll, socket.get()); });
    if (status < 0) return fail(system_error(status, "watch the listener"));
    socket_ = std::move(socket);
    listen();
    return {};
  }

  const Address& local_address() const override { return local_; }

 private:
  void listen() {
    uv_poll_start(poll_.get(), UV_READABLE, [](uv_poll_t* poll, int, int) { accept_some(poll); });
  }

  // The callback may destroy the listener; the handle's memory stays until the end of the turn.
  static void accept_some(uv_poll_t* poll) {
    const auto self = [poll] { return static_cast<UvListener*>(poll->data); };
    for (int i = 0; i < accepts_per_turn && self(); ++i) {
      auto stream = self()->accept_one();
      if (!stream) return;
      auto accepted = std::move(self()->accepted_);
      accepted(std::move(stream));
      if (self()) self()->accepted_ = std::move(accepted);
    }
  }

  std::unique_ptr<Stream> accept_one() {
    for (;;) {
      sockaddr_storage storage{};
      socklen_t length = sizeof storage;
      auto* const address = reinterpret_cast<sockaddr*>(&storage);
      const int fd = accept4(socket_.get(), address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) {
        if (errno == EINTR || errno == ECONNABORTED) continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK) rest(errno);
        return nullptr;
      }
      resting_ = false;
      const Address peer =
          storage.ss_family == AF_UNIX ? Address{} : Address::from_sockaddr(address).value_or(Address{});
      if (auto stream = UvStream::adopt(loop_, fd, peer)) return std::move(*stream);
    }
  }

  // What is waiting keeps the descriptor readable: going on at once would spin.
  void rest(int error) {
    if (!std::exchange(resting_, true)) {
      log::warning("accept failed, new connections wait",
                   {{"listener", local_.to_string()}, {"error", uv_strerror(-error)}});
    }
    uv_poll_stop(poll_.get());
    rest_->start(std::chrono::milliseconds(descriptor_pause_ms));
  }

  UvLoop& loop_;
  Address local_;
  SocketFile file_;
  Function<void(std::unique_ptr<Stream>)> accepted_;
  std::unique_ptr<Timer> rest_;
  Descriptor socket_;
  UvHandle<uv_poll_t> poll_;
  bool resting_ = false;
};

class UvConnecting final : public Connecting {
 public:
  UvConnecting(UvLoop& loop, std::string target, Function<void(Result<std::unique_ptr<Stream>>)> done)
      : loop_(loop), target_(str_cat("connect ", target)), done_(std::move(done)) {}

  void start(const Address& address, const ConnectOptions& options) {
    peer_ = address;
    auto socket = open_socket(address.ip.is_v4() ? AF_INET : AF_INET6);
    if (socket.get() < 0) return fail_later(system_error(-errno, target_));
    set_tcp_options(socket.get());
    if (options.mark != 0 && !set_option(socket.get(), SOL_SOCKET, SO_MARK, options.mark)) {
      return fail_later(system_error(-errno, str_cat(target_, ": set the mark (needs CAP_NET_ADMIN)")));
    }
    socket_.open_checked(this, [&](uv_tcp_t* tcp) { return uv_tcp_init(loop_.raw(), tcp); });
    int status = uv_tcp_open(socket_.get(), socket.get());
    if (status < 0) return fail_later(system_error(status, target_));
    static_cast<void>(socket.release());
    sockaddr_storage storage{};
    address.to_sockaddr(storage);
    auto request = std::make_unique<uv_connect_t>();
    status = uv_tcp_connect(request.get(), socket_.get(), reinterpret_cast<const sockaddr*>(&storage),
                            [](uv_connect_t* connect, int result) {
                              auto* const self = static_cast<UvConnecting*>(connect->handle->data);
                              delete connect;
                              if (self) self->connected(result);
                            });
    if (status < 0) return fail_later(system_error(status, target_));
    static_cast<void>(request.release());
    timer_ = loop_.make_timer([this, limit = options.timeout] { timed_out(limit); });
    timer_->start(options.timeout);
  }

  void start_unix(const std::string& path) {
    const auto address = unix_address(path, target_);
    if (!address) return fail_later(address.error());
    auto socket = open_socket(AF_UNIX);
    if (socket.get() < 0) return fail_later(system_error(-errno, target_));
    // A Unix socket connects at once or not at all.
    if (::connect(socket.get(), generic(*address), sizeof *address) != 0) {
      return fail_later(system_error(-errno, target_));
    }
    auto stream = UvStream::adopt(loop_, socket.release(), Address{});
    if (!stream) return fail_later(stream.error());
    loop_.defer(anchor_.guard([this, stream = std::move(*stream)]() mutable {
      finish(std::unique_ptr<Stream>(std::move(stream)));
    }));
  }

 private:
  void connected(int status) {
    if (status < 0) return finish(fail(system_error(status, target_)));
    sockaddr_storage storage{};
    int length = sizeof storage;
    Address local;
    if (uv_tcp_getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&storage), &length) == 0) {
      local = Address::from_sockaddr(reinterpret_cast<sockaddr*>(&storage)).value_or(Address{});
    }
    finish(std::make_unique<UvStream>(loop_, std::move(socket_), local, peer_));
  }

  void timed_out(Duration limit) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(limit).count();
    finish(fail(Code::timeout, str_cat(target_, ": no answer within ", ms, " ms")));
  }

  void fail_later(Error error) {
    loop_.defer(
        anchor_.guard([this, error = std::move(error)]() mutable { finish(fail(std::move(error))); }));
  }

  // The callback may destroy this object.
  void finish(Result<std::unique_ptr<Stream>> result) {
    if (timer_) timer_->stop();
    socket_.close();
    const auto done = std::move(done_);
    done(std::move(result));
  }

  UvLoop& loop_;
  std::string target_;
  Function<void(Result<std::unique_ptr<Stream>>)> done_;
  Address peer_;
  UvHandle<uv_tcp_t> socket_;
  std::unique_ptr<Timer> timer_;
  Anchor anchor_;
};

// Makes room for a listener at `path`: a socket that nobody listens on any more is removed.
Status remove_stale_socket(const std::string& path, const sockaddr_un& address, std::string_view what) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) return {};
  if (!S_ISSOCK(status.st_mode)) {
    return fail(Code::exists,
                str_cat(what, ": the file exists and is no socket; remove it or choose another"));
  }
  const auto probe = open_socket(AF_UNIX);
  if (::connect(probe.get(), generic(address), sizeof address) == 0 || errno != ECONNREFUSED) {
    return fail(Code::exists, str_cat(what, ": somebody listens there already"));
  }
  unlink(path.c_str());
  return {};
}

}  // namespace

Result<std::unique_ptr<Listener>> listen_tcp(UvLoop& loop, const Address& address,
                                             const ListenOptions& options,
                                             Function<void(std::unique_ptr<Stream>)> accepted) {
  const auto what = str_cat("listen on ", address.to_string());
  auto socket = open_socket(address.ip.is_v4() ? AF_INET : AF_INET6);
  if (socket.get() < 0) return fail(system_error(-errno, what));
  const int fd = socket.get();
  set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (options.reuse_port) set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
  if (address.ip.is_v6()) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, options.only_v6 ? 1 : 0);
  set_tcp_options(fd);
  sockaddr_storage storage{};
  socklen_t length = address.to_sockaddr(storage);
  auto* const generic_address = reinterpret_cast<sockaddr*>(&storage);
  if (bind(fd, generic_address, length) != 0 || ::listen(fd, options.backlog) != 0) {
    return fail(system_error(-errno, what));
  }
  length = sizeof storage;
  getsockname(fd, generic_address, &length);
  WEFT_ASSIGN(const Address local, Address::from_sockaddr(generic_address));
  auto listener = std::make_unique<UvListener>(loop, local, SocketFile(), std::move(accepted));
  WEFT_TRY(listener->open(std::move(socket)));
  return listener;
}

Result<std::unique_ptr<Listener>> listen_unix_socket(UvLoop& loop, const std::string& path,
                                                     Function<void(std::unique_ptr<Stream>)> accepted) {
  const auto what = str_cat("listen on ", path);
  WEFT_ASSIGN(const sockaddr_un address, unix_address(path, what));
  WEFT_TRY(remove_stale_socket(path, address, what));
  auto socket = open_socket(AF_UNIX);
  if (socket.get() < 0) return fail(system_error(-errno, what));
  // Before bind, so that the file never exists with a wider mode (the kernel takes the socket's own).
  fchmod(socket.get(), 0600);
  if (bind(socket.get(), generic(address), sizeof address) != 0 || ::listen(socket.get(), SOMAXCONN) != 0) {
    return fail(system_error(-errno, what));
  }
  auto listener = std::make_unique<UvListener>(loop, Address{}, SocketFile(path), std::move(accepted));
  WEFT_TRY(listener->open(std::move(socket)));
  return listener;
}

std::unique_ptr<Connecting> connect_tcp(UvLoop& loop, const Address& address, const ConnectOptions& options,
                                        Function<void(Result<std::unique_ptr<Stream>>)> done) {
  auto connecting = std::make_unique<UvConnecting>(loop, address.to_string(), std::move(done));
  connecting->start(address, options);
  return connecting;
}

std::unique_ptr<Connecting> connect_unix_socket(UvLoop& loop, const std::string& path,
                                                Function<void(Result<std::unique_ptr<Stream>>)> done) {
  auto connecting = std::make_unique<UvConnecting>(loop, path, std::move(done));
  connecting->start_unix(path);
  return connecting;
}

}  // namespace weft::io
