#include "tests/bench/load/http_service.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/text.h"
#include "tests/bench/load/http_body.h"

namespace weft::bench {
namespace {

constexpr std::size_t read_bytes = std::size_t{64} * 1024;
constexpr std::size_t head_bytes_max = std::size_t{64} * 1024;
constexpr std::size_t small_body_bytes = 128;
constexpr std::size_t answers_bytes_max = std::size_t{64} * 1024;  // collected before they are sent
constexpr std::string_view bytes_path = "/bytes/";

struct Request {
  bool is_get = false, is_head = false;
  std::string_view target;
  bool close = false;
  bool chunked = false;
  bool expects_continue = false;
  std::uint64_t content_length = 0;
};

std::string head_of(std::uint64_t body_bytes) {
  return str_cat("HTTP/1.1 200 OK\r\ncontent-length: ", body_bytes, "\r\n\r\n");
}

bool read_field(Request& request, std::string_view name, std::string_view value) {
  if (equals_ignore_case(name, "content-length")) {
    const auto length = parse_number<std::uint64_t>(value);
    if (!length) return false;
    request.content_length = *length;
  } else if (equals_ignore_case(name, "transfer-encoding")) {
    request.chunked = equals_ignore_case(value, "chunked");
    return request.chunked;
  } else if (equals_ignore_case(name, "connection")) {
    request.close = request.close || equals_ignore_case(value, "close");
  } else if (equals_ignore_case(name, "expect")) {
    request.expects_continue = equals_ignore_case(value, "100-continue");
  }
  return true;
}

// `head` ends with the empty line. Only the fields that matter are looked at: none of the others begins so.
bool parse(std::string_view head, Request& request) {
  std::size_t end = head.find("\r\n");
  const std::string_view line = head.substr(0, end);
  const std::size_t first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return false;
  const std::string_view method = line.substr(0, first);
  request.is_get = method == "GET";
  request.is_head = method == "HEAD";
  request.target = line.substr(first + 1, last - first - 1);
  request.close = line.substr(last + 1) == "HTTP/1.0";
  while (true) {
    const std::size_t start = end + 2;
    end = head.find("\r\n", start);
    if (end == start) return true;
    const char initial = ascii_lower(head[start]);
    if (initial != 'c' && initial != 't' && initial != 'e') continue;
    const std::string_view field = head.substr(start, end - start);
    const std::size_t colon = field.find(':');
    if (colon == std::string_view::npos) return false;
    if (!read_field(request, field.substr(0, colon), trim(field.substr(colon + 1)))) return false;
  }
}

}  // namespace

class HttpService::Connection final : Pollable {
 public:
  Connection(HttpService& service, Descriptor socket) : service_(service), socket_(std::move(socket)) {}

  bool start() { return service_.poller_.add(socket_.get(), stream_events, *this).has_value(); }

  std::size_t place = 0;

 private:
  void ready(std::uint32_t events) override {
    if (socket_.get() < 0) return;
    hung_up_ = hung_up_ || (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    readable_ = readable_ || (events & ~std::uint32_t{EPOLLOUT}) != 0;
    if (!outlet_.flush(socket_.get()) || !go_on()) end();
  }

  // Each returns false when the connection is over.
  bool go_on() {
    while (!outlet_.blocked()) {
      if (owed_ > 0) {
        if (!send_owed()) return false;
        if (socket_full_) return true;
        continue;
      }
      if (closing_) return false;
      if (!held_.empty()) {
        const std::string held = std::exchange(held_, {});
        if (!take(held)) return false;
        if (held_.size() < held.size()) continue;  // otherwise it is incomplete and waits for more
      }
      if (!readable_) return true;
      std::string& buffer = service_.incoming_;
      const ssize_t count = recv(socket_.get(), buffer.data(), read_bytes, 0);
      if (count == 0) return false;
      if (count < 0) {
        readable_ = false;
        return errno == EAGAIN;
      }
      if (static_cast<std::size_t>(count) < read_bytes && !hung_up_) readable_ = false;
      const std::string_view received(buffer.data(), static_cast<std::size_t>(count));
      if (held_.empty()) {
        if (!take(received)) return false;
      } else {
        held_.append(received);
      }
    }
    return true;
  }

  // Answers what is complete in `bytes` and holds the rest.
  bool take(std::string_view bytes) {
    std::string& answers = service_.answers_;
    answers.clear();
    while (!bytes.empty() && owed_ == 0 && !closing_ && answers.size() < answers_bytes_max) {
      if (in_body_) {
        body_.consume(bytes);
        if (body_.broken()) return refuse();
        if (!body_.done()) break;
        in_body_ = false;
        answer_post();
        continue;
      }
      const std::size_t end = bytes.find("\r\n\r\n");
      if (end == std::string_view::npos) {
        if (bytes.size() > head_bytes_max) return refuse();
        break;
      }
      Request request;
      if (!parse(bytes.substr(0, end + 4), request)) return refuse();
      bytes.remove_prefix(end + 4);
      answer(request, bytes.empty());
    }
    held_.assign(bytes);
    return answers.empty() || outlet_.send(socket_.get(), answers);
  }

  void answer(const Request& request, bool nothing_follows) {
    ++service_.requests_;
    close_after_ = request.close;
    std::string& answers = service_.answers_;
    if (request.chunked || request.content_length > 0) {
      in_body_ = true;
      request.chunked ? body_.expect_chunked() : body_.expect(request.content_length);
      if (request.expects_continue && nothing_follows) answers.append("HTTP/1.1 100 Continue\r\n\r\n");
      return;
    }
    if (!request.is_get && !request.is_head) return answer_post();
    closing_ = close_after_;
    if (request.is_get && !request.target.starts_with(bytes_path)) {
      answers.append(service_.small_answer_);
      return;
    }
    std::uint64_t bytes = small_body_bytes;
    if (request.target.starts_with(bytes_path)) {
      bytes = parse_number<std::uint64_t>(request.target.substr(bytes_path.size())).value_or(0);
    }
    answers.append(head_of(bytes));
    if (request.is_head) return;
    const auto now = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, answers_bytes_max));
    answers.append(service_.pattern_.at(0, now));
    owed_ = bytes - now;
    sent_of_body_ = now;
  }

  void answer_post() {
    service_.answers_.append(head_of(2)).append("ok");
    closing_ = close_after_;
  }

  bool send_owed() {
    const std::string_view chunk = service_.pattern_.at(sent_of_body_, owed_);
    const ssize_t sent = send_some(socket_.get(), chunk);
    if (sent < 0) return false;
    sent_of_body_ += static_cast<std::uint64_t>(sent);
    owed_ -= static_cast<std::uint64_t>(sent);
    socket_full_ = static_cast<std::size_t>(sent) < chunk.size();
    return true;
  }

  bool refuse() {
    ++service_.bad_requests_;
    service_.answers_.append("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    outlet_.send(socket_.get(), service_.answers_);
    return false;
  }

  void end() {
    socket_.close();
    service_.connections_.end(*this);
  }

  HttpService& service_;
  Descriptor socket_;
  Outlet outlet_;
  std::string held_;  // the beginning of a request, or what waits until an answer is sent
  BodyReader body_;
  std::uint64_t owed_ = 0;  // of the body being sent
  std::uint64_t sent_of_body_ = 0;
  bool in_body_ = false;
  bool readable_ = false;
  bool hung_up_ = false;
  bool socket_full_ = false;  // EPOLLOUT will come
  bool close_after_ = false;  // the request that is being read or answered
  bool closing_ = false;      // when what is owed has been sent
};

HttpService::HttpService(Poller& poller, const Pattern& pattern)
    : poller_(poller), pattern_(pattern), listener_(poller, [this](Descriptor socket) {
        Connection& connection = connections_.add(std::make_unique<Connection>(*this, std::move(socket)));
        if (!connection.start()) connections_.end(connection);
      }) {
  incoming_.resize(read_bytes);
  small_answer_ = head_of(small_body_bytes).append(pattern.at(0, small_body_bytes));
}

HttpService::~HttpService() = default;

void HttpService::sweep() {
  if (connections_.sweep() > 0) listener_.descriptor_freed();
}

}  // namespace weft::bench
