// Both ends of HTTP/1 connections as recorders, on either loop (tests/lib/io/rig.h).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/text.h"
#include "http/client_connection.h"
#include "http/server_connection.h"
#include "tests/lib/io/rig.h"

namespace weft::http {

inline std::string describe(const codec::Headers& headers) {
  std::string out;
  for (const codec::Header& field : headers.fields()) out += str_cat(field.name, ": ", field.value, "\n");
  return out;
}

inline codec::ResponseHead response(int status, std::initializer_list<codec::Header> fields = {}) {
  codec::ResponseHead head;
  head.status = status;
  for (const codec::Header& field : fields) head.headers.add(field.name, field.value);
  return head;
}

inline codec::RequestHead request(std::string method, std::string target,
                                  std::initializer_list<codec::Header> fields = {}) {
  codec::RequestHead head;
  head.method = std::move(method);
  head.target = std::move(target);
  head.authority = "h";
  for (const codec::Header& field : fields) head.headers.add(field.name, field.value);
  return head;
}

// What both sides write down of their connection and its exchanges. `on(event)` is called at every callback,
// by name, and may do anything.
template <class Connection, class Exchange, class Options>
struct Side {
  explicit Side(io::Loop& its_loop) : loop(its_loop) {}

  void at(std::string_view event) {
    if (on) on(event);
  }
  void body_came(std::string_view bytes) {
    EXPECT_TRUE(open);
    body += bytes;
    at("body");
  }
  void ended(const codec::Headers& its_trailers) {
    EXPECT_TRUE(open);
    trailers = its_trailers;
    ++ends;
    at("end");
  }
  void drained() {
    EXPECT_TRUE(open);
    ++drains;
    at("drained");
  }
  void finished() {
    EXPECT_TRUE(std::exchange(open, false));
    ++finishes;
    at("finished");
  }
  void aborted(const Error& error) {
    EXPECT_TRUE(std::exchange(open, false));
    ++aborts;
    abort_error = error;
    at("aborted");
  }
  void closed(const Error* error) {
    EXPECT_FALSE(open) << "an exchange outlived its connection";
    ++closes;
    if (error != nullptr) close_error = *error;
    at("closed");
    if (connection != nullptr) loop.delete_later(std::move(connection));
  }

  io::Loop& loop;
  Options options;
  std::unique_ptr<Connection> connection;
  Exchange* exchange = nullptr;
  codec::Headers trailers;
  std::string body;
  std::function<void(std::string_view event)> on;
  int ends = 0, drains = 0, finishes = 0, aborts = 0, closes = 0;
  bool no_body = false, open = false;
  std::optional<Error> abort_error, close_error;
};

// Serves one connection.
class ServerSide final : public Side<ServerConnection, ServerExchange, ServerOptions>,
                         public ServerConnectionHandler,
                         public ServerExchangeHandler {
 public:
  using Side::Side;
  void take(std::unique_ptr<io::Stream> stream, std::string already_read = {}) {
    connection =
        make_http1_server_connection(loop, std::move(stream), *this, options, std::move(already_read));
  }
  void reply(int status, std::string_view text) {
    exchange->send_head(response(status, {{"Content-Length", std::to_string(text.size())}}), text.empty());
    if (text.empty()) return;
    exchange->send_body(text);
    exchange->send_end({});
  }

  ServerExchangeHandler& request_begins(ServerExchange& begun, codec::RequestHead&& its_head,
                                        bool end) override {
    exchange = &begun;
    head = std::move(its_head);
    ++begins;
    no_body = end;
    open = true;
    at("begins");
    return *this;
  }
  void request_body(std::string_view bytes) override { body_came(bytes); }
  void request_end(const codec::Headers& its_trailers) override { ended(its_trailers); }
  void response_drained() override { drained(); }
  void exchange_finished() override { finished(); }
  void exchange_aborted(const Error& error) override { aborted(error); }
  void connection_closed(const Error* error) override { closed(error); }

  codec::RequestHead head;
  int begins = 0;
};

class ClientSide final : public Side<ClientConnection, ClientExchange, ClientOptions>,
                         public ClientConnectionHandler,
                         public ClientExchangeHandler {
 public:
  using Side::Side;
  void take(std::unique_ptr<io::Stream> stream) {
    connection = make_http1_client_connection(loop, std::move(stream), *this, options);
  }
  void send(const codec::RequestHead& its_head, bool end) {
    open = true;
    body.clear();
    interim.clear();
    exchange = &connection->request(its_head, end, *this);
  }

  void response_head(codec::ResponseHead&& its_head, bool end) override {
    EXPECT_TRUE(open);
    if (its_head.status < 200 && its_head.status != 101) {
      interim.push_back(its_head.status);
    } else {
      head = std::move(its_head);
      no_body = end;
      ++heads;
    }
    at("head");
  }
  void response_body(std::string_view bytes) override { body_came(bytes); }
  void response_end(const codec::Headers& its_trailers) override { ended(its_trailers); }
  void request_drained() override { drained(); }
  void exchange_finished() override { finished(); }
  void exchange_aborted(const Error& error, Delivery its_delivery) override {
    delivery = its_delivery;
    aborted(error);
  }
  void connection_available() override {
    ++availables;
    at("available");
  }
  void connection_closed(const Error* error) override { closed(error); }

  codec::ResponseHead head;
  std::vector<int> interim;
  int heads = 0, availables = 0;
  std::optional<Delivery> delivery;
};

class Http1Suite : public test::LoopSuite {
 protected:
  // A raw peer, `near`, connected to a stream that `take` gets.
  std::unique_ptr<test::Pair> raw(const std::function<void(std::unique_ptr<io::Stream>)>& take) {
    auto pair = connect();
    take(std::move(pair->far.stream));
    return pair;
  }
  // Gives what was written before time to arrive, and what must not happen time to happen.
  void settle() { run_for(std::chrono::milliseconds(30)); }
};

// One raw peer, and what came to it.
class Http1RawSuite : public Http1Suite {
 protected:
  void write(std::string_view bytes) { pair_->near.stream->write(bytes); }
  const std::string& got() const { return pair_->near.data; }
  bool got(std::string_view expected) {
    const bool equal = run_until([&] { return got() == expected; });
    EXPECT_EQ(got(), expected);
    return equal;
  }

  std::unique_ptr<test::Pair> pair_;
};

}  // namespace weft::http
