// Applications of the simulated mesh. They know nothing of it: real HTTP server connections, and TCP that
// sends back what it gets. What they do with a request is written in the book, where they also write what
// they saw.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/address.h"
#include "http/exchange.h"
#include "io/loop.h"
#include "tests/sim/mesh/book.h"

namespace weft::test {

struct Manner {
  enum class Speaks : std::uint8_t { http1, http2, tcp };
  Speaks speaks = Speaks::http1;
  Duration idle_timeout = std::chrono::minutes(5);  // HTTP: closes a connection that is idle so long
  std::size_t lets_go_after = 0;  // HTTP: so many requests a connection is told to go; 0: never
  bool greets = false;            // TCP: speaks first
};

class Application {
 public:
  Application(io::Loop& loop, const Address& address, const Manner& manner, Book& book);
  ~Application();
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;

  void listen();
  void stop_listening() { listener_.reset(); }
  // As a process that is killed: nobody listens, every connection breaks.
  void die();
  std::size_t connections() const;

  class Served;  // a connection

 private:
  void accept(std::unique_ptr<io::Stream> stream);

  io::Loop& loop_;
  Address address_;
  Manner manner_;
  Book& book_;
  std::unique_ptr<io::Listener> listener_;
  std::vector<std::unique_ptr<Served>> served_;
};

// What the TCP applications say first, and how a call begins so that they know whose it is.
inline constexpr std::string_view greeting = "220 welcome\r\n";
std::string tcp_preamble(int id);

}  // namespace weft::test
