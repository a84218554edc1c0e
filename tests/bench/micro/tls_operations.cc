#include <memory>
#include <optional>
#include <string>

#include "base/check.h"
#include "codec/client_hello.h"
#include "codec/detect.h"
#include "tests/bench/micro/memory_stream.h"
#include "tests/bench/micro/operation.h"
#include "tests/bench/micro/samples.h"
#include "tests/lib/tls/test_root.h"
#include "tests/sim/sim_loop.h"
#include "tls/tls_stream.h"

namespace weft::bench {
namespace {

using TlsStreamPtr = std::unique_ptr<tls::TlsStream>;

// Two sidecars with certificates of one root, as they meet in a mesh; and a loop of virtual time, which only
// the handshake's timers and deferred tasks use.
class Meeting {
 public:
  Meeting() {
    loop_.set_wall(test::noon());
    client_context_ = tls::Context::client(root_.svid(client_id), root_.bundle()).value();
    server_context_ =
        tls::Context::server(root_.svid(server_id), root_.bundle(), {{"weft-h2", "weft-http/1.1"}, true})
            .value();
  }

  std::unique_ptr<tls::Handshake> begin_client(MemoryStream*& end, TlsStreamPtr& done) {
    tls::ClientOptions options;
    options.expected_identity = SpiffeId::parse(server_id).value();
    options.alpn = {"weft-http/1.1"};
    return tls::handshake_client(loop_, make_end(end), client_context_, std::move(options), take_into(done));
  }

  // Both sides of a full handshake.
  void shake_hands() {
    client_.reset();
    server_.reset();
    auto client = begin_client(client_end_, client_);
    auto server = tls::handshake_server(loop_, make_end(server_end_), {}, server_context_,
                                        std::chrono::seconds(5), take_into(server_));
    for (int turns = 0; !client_ || !server_; ++turns) {
      WEFT_CHECK(turns < 10);
      carry();
    }
    carry();
    WEFT_CHECK(server_->alpn() == "weft-http/1.1" && server_->peer().identity.has_value());
  }

  // Everything that is on its way, and what the loop was asked to do.
  void carry() {
    loop_.advance(Duration::zero());
    while (client_end_->carry(*server_end_) || server_end_->carry(*client_end_)) {
    }
    loop_.advance(Duration::zero());
  }

  sim::SimLoop& loop() { return loop_; }
  tls::TlsStream& client() { return *client_; }
  tls::TlsStream& server() { return *server_; }
  MemoryStream& client_end() { return *client_end_; }
  MemoryStream& server_end() { return *server_end_; }

 private:
  static constexpr const char* client_id = "spiffe://cluster.local/ns/default/sa/hello";
  static constexpr const char* server_id = "spiffe://cluster.local/ns/default/sa/world";

  static std::unique_ptr<io::Stream> make_end(MemoryStream*& end) {
    auto made = std::make_unique<MemoryStream>();
    end = made.get();
    return made;
  }
  static tls::HandshakeDone take_into(TlsStreamPtr& done) {
    return [&done](Result<TlsStreamPtr> stream) {
      WEFT_CHECK(stream.has_value());
      done = *std::move(stream);
    };
  }

  sim::SimLoop loop_;
  test::TestRoot root_{test::noon()};
  std::shared_ptr<const tls::Context> client_context_;
  std::shared_ptr<const tls::Context> server_context_;
  TlsStreamPtr client_;
  TlsStreamPtr server_;
  MemoryStream* client_end_ = nullptr;  // owned by the handshake, then by the TLS stream over it
  MemoryStream* server_end_ = nullptr;
};

// One record from the client, encrypted and decrypted.
class Record final : io::StreamHandler {
 public:
  explicit Record(std::size_t bytes) : plain_(bytes, 'x') {
    meeting_.shake_hands();
    meeting_.client().start(*this);
    meeting_.server().start(*this);
    meeting_.carry();
    // Past the small records that a connection begins with.
    for (std::size_t sent = 0; sent < std::size_t{64} * 1024; sent += bytes) send();
    WEFT_CHECK(records_of_last_ == 1);
  }

  void send() {
    received_ = 0;
    records_of_last_ = 0;
    meeting_.client().write(plain_);
    while (meeting_.client_end().carry(meeting_.server_end())) {
    }
    WEFT_CHECK(received_ == plain_.size());
  }

 private:
  void stream_data(std::string_view bytes) override {
    received_ += bytes.size();
    ++records_of_last_;
  }
  void stream_end() override { WEFT_CHECK(false); }
  void stream_drained() override {}
  void stream_failed(const Error&) override { WEFT_CHECK(false); }

  Meeting meeting_;
  std::string plain_;
  std::size_t received_ = 0;
  int records_of_last_ = 0;
};

Function<void()> record(std::size_t bytes) {
  return [made = std::make_unique<Record>(bytes)] { made->send(); };
}

// As our own client sends it.
std::string client_hello() {
  Meeting meeting;
  MemoryStream* end = nullptr;
  TlsStreamPtr none;
  const auto handshake = meeting.begin_client(end, none);
  meeting.loop().advance(Duration::zero());
  return std::string(end->written());
}

}  // namespace

void add_tls_operations(Operations& operations) {
  operations.push_back({"detect/http1", [] {
                          return Function<void()>([] {
                            WEFT_CHECK(codec::detect(small_request).kind == codec::Detection::Kind::http1);
                          });
                        }});
  operations.push_back({"detect/tls", [] {
                          return Function<void()>([hello = client_hello()] {
                            WEFT_CHECK(codec::detect(hello).kind == codec::Detection::Kind::tls);
                          });
                        }});
  operations.push_back({"client-hello/parse", [] {
                          return Function<void()>([hello = client_hello()] {
                            const auto parsed = codec::parse_client_hello(hello);
                            WEFT_CHECK(parsed.hello.offers_alpn("weft-http/1.1"));
                          });
                        }});
  operations.push_back({"tls/record-1k", [] { return record(1024); }});
  operations.push_back({"tls/record-16k", [] { return record(std::size_t{16} * 1024); }});
  operations.push_back(
      {"tls/handshake",
       [] { return Function<void()>([meeting = std::make_unique<Meeting>()] { meeting->shake_hands(); }); }});
}

}  // namespace weft::bench
