// Both ends of an HTTP/2 connection, whose exchanges are recorders.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/text.h"
#include "tests/lib/http/http1_fixture.h"

namespace weft::http {

// One request as the server sees it.
struct ServedRequest final : ServerExchangeHandler {
  void request_body(std::string_view bytes) override {
    body += bytes;
    if (on_body) on_body();
  }
  void request_end(const codec::Headers& its_trailers) override {
    trailers = its_trailers;
    ended = true;
    if (on_end) on_end();
  }
  void response_drained() override {
    if (on_drained) on_drained();
  }
  void exchange_finished() override { over("finished"); }
  void exchange_aborted(const Error& error) override { over(str_cat("aborted: ", error.message)); }
  void over(std::string what) {
    EXPECT_EQ(outcome, "") << "over twice";
    outcome = std::move(what);
    exchange = nullptr;
  }
  void reply(int status, std::string_view text) {
    exchange->send_head(response(status), text.empty());
    if (text.empty()) return;
    exchange->send_body(text);
    exchange->send_end({});
  }

  ServerExchange* exchange = nullptr;
  codec::RequestHead head;
  codec::Headers trailers;
  std::string body;
  std::string outcome;
  bool no_body = false, ended = false;
  std::function<void()> on_body, on_end, on_drained;
};

// One request as the client sees it.
struct SentRequest final : ClientExchangeHandler {
  void response_head(codec::ResponseHead&& its_head, bool end) override {
    if (its_head.status < 200) {
      ++interims;
      return;
    }
    head = std::move(its_head);
    no_body = end;
  }
  void response_body(std::string_view bytes) override {
    body += bytes;
    if (on_body) on_body();
  }
  void response_end(const codec::Headers& its_trailers) override {
    trailers = its_trailers;
    ended = true;
  }
  void request_drained() override {
    if (on_drained) on_drained();
  }
  void exchange_finished() override { over("finished"); }
  void exchange_aborted(const Error& error, Delivery its_delivery) override {
    delivery = its_delivery;
    over(str_cat("aborted: ", error.message));
  }
  void over(std::string what) {
    EXPECT_EQ(outcome, "") << "over twice";
    outcome = std::move(what);
    exchange = nullptr;
  }

  ClientExchange* exchange = nullptr;
  codec::ResponseHead head;
  codec::Headers trailers;
  std::string body;
  std::string outcome;
  Delivery delivery = Delivery::maybe;
  int interims = 0;
  bool no_body = false, ended = false;
  std::function<void()> on_body, on_drained;
};

class Http2ServerSide final : public ServerConnectionHandler {
 public:
  explicit Http2ServerSide(io::Loop& loop) : loop_(loop) {}
  void take(std::unique_ptr<io::Stream> stream, std::string already_read = {}) {
    connection =
        make_http2_server_connection(loop_, std::move(stream), *this, options, std::move(already_read));
  }
  ServerExchangeHandler& request_begins(ServerExchange& exchange, codec::RequestHead&& head,
                                        bool end) override {
    requests.push_back(std::make_unique<ServedRequest>());
    ServedRequest& request = *requests.back();
    request.exchange = &exchange;
    request.head = std::move(head);
    request.no_body = end;
    if (on_request) on_request(request);
    return request;
  }
  void connection_closed(const Error* error) override {
    ++closes;
    if (error != nullptr) close_error = *error;
    for (const auto& request : requests) EXPECT_NE(request->outcome, "") << "outlived its connection";
    loop_.delete_later(std::move(connection));
  }

  ServerOptions options;
  std::unique_ptr<ServerConnection> connection;
  std::vector<std::unique_ptr<ServedRequest>> requests;
  std::function<void(ServedRequest&)> on_request;
  std::optional<Error> close_error;
  int closes = 0;

 private:
  io::Loop& loop_;
};

class Http2ClientSide final : public ClientConnectionHandler {
 public:
  explicit Http2ClientSide(io::Loop& loop) : loop_(loop) {}
  void take(std::unique_ptr<io::Stream> stream) {
    connection = make_http2_client_connection(loop_, std::move(stream), *this, options);
  }
  SentRequest& send(const codec::RequestHead& head, bool end) {
    requests.push_back(std::make_unique<SentRequest>());
    requests.back()->exchange = &connection->request(head, end, *requests.back());
    return *requests.back();
  }
  void connection_available() override { ++availables; }
  void connection_closed(const Error* error) override {
    ++closes;
    if (error != nullptr) close_error = *error;
    loop_.delete_later(std::move(connection));
  }

  ClientOptions options;
  std::unique_ptr<ClientConnection> connection;
  std::vector<std::unique_ptr<SentRequest>> requests;
  std::optional<Error> close_error;
  int closes = 0, availables = 0;

 private:
  io::Loop& loop_;
};

// A client and a server with a connection between them.
class Http2Suite : public test::LoopSuite {
 protected:
  void connect_both() {
    auto listener = loop().listen(
        loopback(0), {}, [this](std::unique_ptr<io::Stream> stream) { server_.take(std::move(stream)); });
    ASSERT_TRUE(listener);
    listener_ = *std::move(listener);
    connecting_ = loop().connect(listener_->local_address(), {}, [this](auto stream) {
      ASSERT_TRUE(stream);
      client_.take(*std::move(stream));
    });
    ASSERT_TRUE(run_until([this] { return server_.connection && client_.connection; }));
  }
  bool over(const SentRequest& request) {
    return run_until([&] { return !request.outcome.empty(); });
  }

  std::unique_ptr<io::Listener> listener_;
  std::unique_ptr<io::Connecting> connecting_;
  Http2ServerSide server_{loop()};
  Http2ClientSide client_{loop()};
};

}  // namespace weft::http
