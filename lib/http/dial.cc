#include "http/dial.h"

#include <deque>

#include "base/text.h"
#include "io/resolver.h"
#include "tls/tls_stream.h"

namespace weft::http {
namespace {

class Dial final : public io::Connecting {
 public:
  Dial(io::Loop& loop, DialTarget target, DialDone done)
      : loop_(loop), target_(std::move(target)), done_(std::move(done)) {
    io::ConnectOptions options;
    options.timeout = target_.connect_timeout;
    connecting_ = loop_.connect(target_.address, options,
                                anchor_.guard([this](auto stream) { connected(std::move(stream)); }));
  }

 private:
  void connected(Result<std::unique_ptr<io::Stream>> stream) {
    if (!stream || !target_.context) return done_(std::move(stream));
    tls::ClientOptions options;
    options.expected_identity = target_.expected_identity;
    options.server_name = target_.server_name;
    options.alpn = target_.alpn;
    options.timeout = target_.handshake_timeout;
    handshake_ =
        tls::handshake_client(loop_, *std::move(stream), target_.context, std::move(options),
                              anchor_.guard([this](auto secured) { secured_done(std::move(secured)); }));
  }

  void secured_done(Result<std::unique_ptr<tls::TlsStream>> secured) {
    if (!secured) {
      return done_(fail(secured.error().in(str_cat("TLS with ", target_.address.to_string()))));
    }
    done_(std::unique_ptr<io::Stream>(*std::move(secured)));
  }

  io::Loop& loop_;
  DialTarget target_;
  DialDone done_;
  std::unique_ptr<io::Connecting> connecting_;
  std::unique_ptr<tls::Handshake> handshake_;
  Anchor anchor_;
};

class DialHost final : public io::Connecting {
 public:
  DialHost(io::Loop& loop, io::Resolver& resolver, std::string host, DialTarget target, DialDone done)
      : loop_(loop), host_(std::move(host)), target_(std::move(target)), done_(std::move(done)) {
    query_ =
        resolver.resolve(host_, anchor_.guard([this](auto addresses) { resolved(std::move(addresses)); }));
  }

 private:
  void resolved(Result<std::vector<IpAddress>> addresses) {
    if (!addresses) return done_(fail(addresses.error()));
    left_.assign(addresses->begin(), addresses->end());
    try_next(Error{Code::not_found, str_cat(host_, ": the name has no address")});
  }

  void try_next(Error last) {
    if (left_.empty()) return done_(fail(last.in(host_)));
    target_.address.ip = left_.front();
    left_.pop_front();
    loop_.delete_later(std::move(attempt_));
    attempt_ = dial(loop_, target_, anchor_.guard([this](Result<std::unique_ptr<io::Stream>> stream) {
      if (!stream) return try_next(std::move(stream).error());
      done_(std::move(stream));
    }));
  }

  io::Loop& loop_;
  std::string host_;
  DialTarget target_;
  DialDone done_;
  std::unique_ptr<io::Resolving> query_;
  std::deque<IpAddress> left_;
  std::unique_ptr<io::Connecting> attempt_;
  Anchor anchor_;
};

}  // namespace

std::unique_ptr<io::Connecting> dial(io::Loop& loop, DialTarget target, DialDone done) {
  return std::make_unique<Dial>(loop, std::move(target), std::move(done));
}

std::unique_ptr<io::Connecting> dial_host(io::Loop& loop, io::Resolver& resolver, std::string host,
                                          DialTarget target, DialDone done) {
  return std::make_unique<DialHost>(loop, resolver, std::move(host), std::move(target), std::move(done));
}

}  // namespace weft::http
