#include "io/uv_stream.h"

#include <arpa/inet.h>
#include <linux/netfilter_ipv4.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/limits.h"
#include "base/text.h"
#include "io/paused_streams.h"
#include "io/uv_error.h"

namespace weft::io {
namespace {

// linux/netfilter_ipv6/ip6_tables.h has this name, but does not compile as C++.
constexpr int ip6t_so_original_dst = 80;
// From here on a copy costs more than a system call of its own.
constexpr std::size_t direct_write_bytes_min = 16 * 1024;

// What a sidecar holds for each connection, idle or not, beside libuv's own handle.
static_assert(sizeof(UvStream) <= 256);

}  // namespace

// What libuv has not sent yet: it owns its bytes, since it may outlive the stream.
struct UvStream::WriteRequest {
  uv_write_t request;
  Buffer bytes;
};

UvStream::UvStream(UvLoop& loop, UvHandle<uv_tcp_t> socket, const Address& local, const Address& peer)
    : loop_(loop), socket_(std::move(socket)), local_(local), peer_(peer) {
  socket_.set_owner(this);
}

Result<std::unique_ptr<UvStream>> UvStream::adopt(UvLoop& loop, int descriptor, const Address& peer) {
  UvHandle<uv_tcp_t> socket;
  int status = socket.open(nullptr, [&](uv_tcp_t* tcp) { return uv_tcp_init(loop.raw(), tcp); });
  if (status == 0) status = uv_tcp_open(socket.get(), descriptor);
  if (status < 0) {
    ::close(descriptor);
    return fail(system_error(status, str_cat("connection from ", peer.to_string())));
  }
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  Address local;
  if (getsockname(descriptor, reinterpret_cast<sockaddr*>(&storage), &length) == 0 &&
      storage.ss_family != AF_UNIX) {
    local = Address::from_sockaddr(reinterpret_cast<sockaddr*>(&storage)).value_or(Address{});
  }
  return std::make_unique<UvStream>(loop, std::move(socket), local, peer);
}

UvStream::~UvStream() {
  loop_.paused_streams().remove(*this);
  loop_.unschedule(*this);
}

int UvStream::descriptor() const {
  uv_os_fd_t fd = -1;
  uv_fileno(socket_.base(), &fd);
  return fd;
}

void UvStream::start(StreamHandler& handler) {
  handler_ = &handler;
  resume();
  if (failure_) loop_.schedule(*this);
}

void UvStream::pause() {
  paused_ = true;
  update_reading();
  // A failed write waits for the reader to come to the end of what the peer said; now it would wait for ever.
  if (failure_) loop_.schedule(*this);
}

void UvStream::resume() {
  paused_ = false;
  update_reading();
}

void UvStream::detach() {
  handler_ = nullptr;
  pause();
}

void UvStream::update_reading() {
  const bool over = read_ended_ || failed_;
  if (paused_ && !over && handler_) {
    loop_.paused_streams().add(*this);
  } else {
    loop_.paused_streams().remove(*this);
  }
  const bool wanted = !paused_ && !over;
  if (wanted == reading_) return;
  reading_ = wanted;
  if (!wanted) {
    uv_read_stop(raw());
    return;
  }
  const auto allocate = [](uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
    const auto* self = static_cast<UvStream*>(handle->data);
    *buffer =
        self ? uv_buf_init(self->loop_.read_buffer(), limits::read_chunk_bytes) : uv_buf_init(nullptr, 0);
  };
  const auto arrived = [](uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer) {
    if (stream->data) static_cast<UvStream*>(stream->data)->on_read(count, buffer->base);
  };
  if (const int status = uv_read_start(raw(), allocate, arrived); status < 0) {
    reading_ = false;
    read_ended_ = true;
    write_failed(status);
  }
}

void UvStream::on_read(ssize_t count, const char* bytes) {
  if (count == 0) return;  // nothing there after all
  if (count > 0) {
    handler_->stream_data({bytes, static_cast<std::size_t>(count)});
    return;
  }
  read_ended_ = true;
  update_reading();
  // libuv takes a hang-up behind a short read for the end without asking the kernel: a reset would look like
  // an end in order. EPIPE is a reset behind the peer's FIN, when all that it said is here.
  const int broken = count == UV_EOF ? pending_error() : static_cast<int>(count);
  if ((broken == 0 || broken == UV_EPIPE) && !failure_) {
    handler_->stream_end();
    return;
  }
  if (!failure_) failure_ = system_error(broken, "read");
  report_failure();
}

// What poll(2) says of a paused stream. Nothing is told before the end of the turn.
void UvStream::peer_left(int events) {
  const int broken = (events & POLLERR) != 0 ? pending_error() : 0;
  // EPIPE as in on_read(): all that the peer said is here.
  if (broken != 0 && broken != UV_EPIPE && !failure_) {
    failure_ = system_error(broken, "read");
    outgoing_.clear();
  }
  end_waits_ = (events & (POLLRDHUP | POLLHUP)) != 0;
  loop_.schedule(*this);
}

// As a negative error of libuv; asking takes it away.
int UvStream::pending_error() const {
  int error = 0;
  socklen_t length = sizeof error;
  return getsockopt(descriptor(), SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? uv_translate_sys_error(error)
                                                                              : 0;
}

void UvStream::write(std::string_view bytes) {
  if (failed_ || failure_ || ending_ || bytes.empty()) return;
  if (bytes.size() >= direct_write_bytes_min && outgoing_.empty() && !in_flight_) {
    bytes.remove_prefix(try_write(bytes));
    if (failure_ || bytes.empty()) return;
  }
  outgoing_.append(bytes);
  if (queued_bytes() > limits::write_high_bytes) above_high_ = true;
  loop_.schedule(*this);
}

// How many bytes the kernel took; none after a failure.
std::size_t UvStream::try_write(std::string_view bytes) {
  // libuv does not write into what it is given; its type just cannot say so.
  uv_buf_t buffer = uv_buf_init(const_cast<char*>(bytes.data()), static_cast<unsigned>(bytes.size()));
  const int count = uv_try_write(raw(), &buffer, 1);
  if (count >= 0) return static_cast<std::size_t>(count);
  if (count != UV_EAGAIN) write_failed(count);
  return 0;
}

void UvStream::end() {
  if (ending_ || failed_) return;
  ending_ = true;
  loop_.schedule(*this);
}

void UvStream::reset() {
  // Closing with a linger time of zero sends RST and drops what is unsent.
  const linger hard{1, 0};
  setsockopt(descriptor(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}

std::size_t UvStream::queued_bytes() const {
  if (failed_) return 0;
  return outgoing_.size() + uv_stream_get_write_queue_size(raw());
}

void UvStream::end_turn() {
  if (failed_) return;
  const bool end_waits = std::exchange(end_waits_, false);
  if (!failure_ && !send_queued()) return;
  // After a failed write the peer's last words, say an early response, may still be waiting to be read; the
  // failure is reported behind them.
  if (failure_ && !reading_ && handler_) return report_failure();
  int unread_bytes = 0;
  if (end_waits && paused_ && handler_ && ioctl(descriptor(), FIONREAD, &unread_bytes) == 0) {
    handler_->stream_end_waits(static_cast<std::uint64_t>(unread_bytes));
  }
}

// False when this object may be gone.
bool UvStream::send_queued() {
  if (in_flight_) return true;
  if (!outgoing_.empty()) {
    outgoing_.consume(try_write(outgoing_.view()));
    if (failure_) return true;
  }
  if (!outgoing_.empty()) {
    auto request = std::make_unique<WriteRequest>();
    std::swap(request->bytes, outgoing_);
    const auto view = request->bytes.view();
    const uv_buf_t buffer = uv_buf_init(const_cast<char*>(view.data()), static_cast<unsigned>(view.size()));
    request->request.data = request.get();
    const int status = uv_write(&request->request, raw(), &buffer, 1, [](uv_write_t* done, int result) {
      auto* const self = static_cast<UvStream*>(done->handle->data);
      delete static_cast<WriteRequest*>(done->data);
      if (self) self->on_written(result);
    });
    if (status < 0) {
      write_failed(status);
      return true;
    }
    in_flight_ = true;
    static_cast<void>(request.release());
  }
  bool drained = above_high_ && !ending_ && queued_bytes() < limits::write_low_bytes;
  if (ending_ && !shut_down_ && !in_flight_) {
    shut_down();
    drained = !failure_;
  }
  if (drained) {
    above_high_ = false;
    if (handler_) handler_->stream_drained();
    return false;
  }
  return true;
}

void UvStream::on_written(int status) {
  in_flight_ = false;
  if (failed_) return;
  if (status < 0) write_failed(status);
  loop_.schedule(*this);
}

void UvStream::shut_down() {
  shut_down_ = true;
  // Nothing is queued, so this is the system call and no more; a request of libuv's would wait in vain.
  if (::shutdown(descriptor(), SHUT_WR) != 0) write_failed(-errno);
}

void UvStream::write_failed(int status) {
  if (failure_ || failed_) return;
  failure_ = system_error(status, "write");
  outgoing_.clear();
  loop_.schedule(*this);
}

// This object may be gone afterwards.
void UvStream::report_failure() {
  if (failed_ || !handler_) return;
  failed_ = true;
  outgoing_.clear();
  update_reading();
  const Error error = std::exchange(failure_, std::nullopt).value();
  handler_->stream_failed(peer_ == Address{} ? error : error.in(peer_.to_string()));
}

Result<Address> UvStream::original_destination() const {
  const bool v4 = local_.ip.is_v4();
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  const int level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
  const int option = v4 ? SO_ORIGINAL_DST : ip6t_so_original_dst;
  if (getsockopt(descriptor(), level, option, &storage, &length) != 0) {
    return fail(Code::not_found, str_cat("connection from ", peer_.to_string(),
                                         " has no original destination: ", uv_strerror(-errno),
                                         " (was it redirected by iptables?)"));
  }
  return Address::from_sockaddr(reinterpret_cast<sockaddr*>(&storage));
}

bool UvStream::idle_and_open() const {
  if (failed_ || failure_ || read_ended_ || ending_) return false;
  char byte;
  return recv(descriptor(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
         (errno == EAGAIN || errno == EWOULDBLOCK);
}

}  // namespace weft::io
