#include "tests/bench/load/tcp_service.h"

#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <utility>

#include "base/text.h"
#include "tests/bench/net/outlet.h"

namespace weft::bench {
namespace {

constexpr std::size_t read_bytes = std::size_t{256} * 1024;
constexpr std::size_t number_bytes_max = 20;
// So that one busy connection does not starve the others.
constexpr int reads_per_turn = 16;

}  // namespace

class TcpService::Connection final : Pollable {
 public:
  Connection(TcpService& service, Descriptor socket) : service_(service), socket_(std::move(socket)) {}

  bool start() { return service_.poller_.add(socket_.get(), stream_events, *this).has_value(); }

  std::size_t place = 0;

 private:
  enum class Purpose : std::uint8_t { unknown, echo, sink, verify, source };

  void ready(std::uint32_t events) override {
    if (socket_.get() < 0) return;
    hung_up_ = hung_up_ || (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    readable_ = readable_ || (events & ~std::uint32_t{EPOLLOUT}) != 0;
    if (!outlet_.flush(socket_.get()) || !send_owed() || !read()) end();
  }

  // Each returns false when the connection is over.
  bool read() {
    for (int count = 0; readable_ && !outlet_.blocked(); ++count) {
      if (count == reads_per_turn) {
        service_.poller_.change(socket_.get(), stream_events, *this);
        return true;
      }
      // A sink only counts: MSG_TRUNC throws the bytes away inside the kernel, which leaves the processor to
      // those who are measured.
      const bool counts_only = purpose_ == Purpose::sink;
      std::string& buffer = service_.incoming_;
      const ssize_t received = recv(socket_.get(), buffer.data(), read_bytes, counts_only ? MSG_TRUNC : 0);
      if (received == 0) return source_ended();
      if (received < 0) {
        readable_ = false;
        return errno == EAGAIN;
      }
      const auto size = static_cast<std::size_t>(received);
      if (size < read_bytes && !hung_up_) readable_ = false;
      if (!take(counts_only ? std::string_view() : std::string_view(buffer.data(), size), size)) return false;
    }
    return true;
  }

  bool take(std::string_view bytes, std::size_t size) {
    if (purpose_ == Purpose::unknown) {
      if (!choose(bytes)) return false;
      size = bytes.size();
    }
    switch (purpose_) {
      case Purpose::echo:
        return outlet_.send(socket_.get(), bytes);
      case Purpose::sink:
        counted_ += size;
        return true;
      case Purpose::verify:
        verify(bytes);
        return true;
      case Purpose::source:
        return send_owed();
      case Purpose::unknown:
        return true;  // its line is not complete
    }
    return true;
  }

  // Leaves in `bytes` what follows.
  bool choose(std::string_view& bytes) {
    line_.append(bytes.substr(0, 1 + number_bytes_max + 1 - line_.size()));
    switch (line_.front()) {
      case 'E':
        purpose_ = Purpose::echo;
        break;
      case 'S':
        purpose_ = Purpose::sink;
        bytes.remove_prefix(1);
        break;
      case 'V':
      case 'D':
        return choose_with_number(bytes);
      default:
        return false;
    }
    std::exchange(line_, {});
    return true;
  }

  bool choose_with_number(std::string_view& bytes) {
    const std::size_t end = bytes.find('\n');
    if (end == std::string_view::npos) {
      bytes = {};
      return line_.size() <= 1 + number_bytes_max;
    }
    bytes.remove_prefix(end + 1);
    const std::string line = std::exchange(line_, {});
    const auto number = parse_number<std::uint64_t>(std::string_view(line).substr(1, line.find('\n') - 1));
    if (!number) return false;
    if (line.front() == 'D') {
      purpose_ = Purpose::source;
      owed_ = *number;
    } else {
      purpose_ = Purpose::verify;
      expected_ = std::make_unique<Pattern>(static_cast<std::uint32_t>(*number));
    }
    return true;
  }

  void verify(std::string_view bytes) {
    if (wrong_) return;
    const std::size_t good = expected_->matching(counted_, bytes);
    counted_ += good;
    wrong_ = good < bytes.size();
  }

  bool send_owed() {
    if (purpose_ != Purpose::source) return true;
    while (owed_ > 0) {
      const std::string_view chunk = service_.pattern_.at(counted_, owed_);
      const ssize_t sent = send_some(socket_.get(), chunk);
      if (sent < 0) return false;
      counted_ += static_cast<std::uint64_t>(sent);
      owed_ -= static_cast<std::uint64_t>(sent);
      if (static_cast<std::size_t>(sent) < chunk.size()) return true;
    }
    return false;
  }

  bool source_ended() {
    readable_ = false;
    if (purpose_ == Purpose::source) return true;  // goes on sending to who has no more to say
    if (purpose_ == Purpose::sink || purpose_ == Purpose::verify) {
      outlet_.send(socket_.get(), wrong_ ? str_cat("wrong at ", counted_) : std::to_string(counted_));
    }
    return false;
  }

  void end() {
    socket_.close();
    service_.connections_.end(*this);
  }

  TcpService& service_;
  Descriptor socket_;
  Outlet outlet_;
  std::string line_;  // the first one, until it is complete
  std::unique_ptr<Pattern> expected_;
  std::uint64_t counted_ = 0;
  std::uint64_t owed_ = 0;
  Purpose purpose_ = Purpose::unknown;
  bool wrong_ = false;
  bool readable_ = false;
  bool hung_up_ = false;
};

TcpService::TcpService(Poller& poller, const Pattern& pattern)
    : poller_(poller), pattern_(pattern), listener_(poller, [this](Descriptor socket) {
        ++accepted_;
        Connection& connection = connections_.add(std::make_unique<Connection>(*this, std::move(socket)));
        if (!connection.start()) connections_.end(connection);
      }) {
  incoming_.resize(read_bytes);
}

TcpService::~TcpService() = default;

void TcpService::sweep() {
  if (connections_.sweep() > 0) listener_.descriptor_freed();
}

}  // namespace weft::bench
