// Listeners, connecting, and Unix sockets, on either loop.
#include <memory>
#include <string>
#include <vector>

#include "base/text.h"
#include "tests/lib/io/rig.h"

namespace weft::test {
namespace {

using namespace std::chrono_literals;

using ListenerTest = LoopSuite;
using ConnectTest = LoopSuite;
using UnixSocketTest = LoopSuite;

TEST_F(ListenerTest, APortIsTakenOnceUnlessItIsShared) {
  const auto first = loop().listen(loopback(0), {}, [](auto) {});
  ASSERT_TRUE(first);
  const Address address = (*first)->local_address();
  const auto second = loop().listen(address, {}, [](auto) {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::exists);
  EXPECT_EQ(second.error().message, str_cat("listen on ", address.to_string(), ": address already in use"));

  io::ListenOptions shared;
  shared.reuse_port = true;
  const auto third = loop().listen(loopback(0), shared, [](auto) {});
  ASSERT_TRUE(third);
  EXPECT_TRUE(loop().listen((*third)->local_address(), shared, [](auto) {}));
}

TEST_F(ListenerTest, DestroyedItFreesItsPort) {
  auto first = loop().listen(loopback(0), {}, [](auto) {});
  ASSERT_TRUE(first);
  const Address address = (*first)->local_address();
  first->reset();
  run_for(1ms);
  EXPECT_TRUE(loop().listen(address, {}, [](auto) {}));
}

TEST_F(ListenerTest, MayBeDestroyedInItsOwnCallback) {
  std::unique_ptr<io::Listener> listener;
  std::unique_ptr<io::Stream> kept;
  auto made =
      loop().listen(loopback(0), {}, [&, text = std::string(40, 'x')](std::unique_ptr<io::Stream> stream) {
        listener.reset();
        kept = std::move(stream);
        EXPECT_EQ(text.size(), 40u);
      });
  ASSERT_TRUE(made);
  listener = std::move(*made);
  const auto connecting = loop().connect(listener->local_address(), {}, [](auto) {});
  EXPECT_TRUE(run_until([&] { return kept != nullptr; }));
}

TEST_F(ConnectTest, NothingListeningIsRefusedAndTheMessageNamesTheAddress) {
  auto listener = loop().listen(loopback(0), {}, [](auto) {});
  ASSERT_TRUE(listener);
  const Address address = (*listener)->local_address();
  listener->reset();
  run_for(1ms);
  std::optional<Error> error;
  const auto connecting = loop().connect(address, {}, [&](auto result) {
    ASSERT_FALSE(result);
    error = result.error();
  });
  EXPECT_FALSE(error);  // never inline
  ASSERT_TRUE(run_until([&] { return error.has_value(); }));
  EXPECT_EQ(error->code, Code::refused);
  EXPECT_EQ(error->message, str_cat("connect ", address.to_string(), ": connection refused"));
}

TEST_F(ConnectTest, DestroyedItCancels) {
  const auto listener = loop().listen(loopback(0), {}, [](auto) {});
  ASSERT_TRUE(listener);
  bool called = false;
  auto connecting = loop().connect((*listener)->local_address(), {}, [&](auto) { called = true; });
  connecting.reset();
  run_for(20ms);
  EXPECT_FALSE(called);
}

TEST_F(ConnectTest, MayBeDestroyedInItsOwnCallback) {
  const auto listener = loop().listen(loopback(0), {}, [](auto) {});
  ASSERT_TRUE(listener);
  std::unique_ptr<io::Connecting> connecting;
  std::unique_ptr<io::Stream> kept;
  connecting = loop().connect((*listener)->local_address(), {}, [&](auto result) {
    connecting.reset();
    ASSERT_TRUE(result);
    kept = std::move(*result);
  });
  EXPECT_TRUE(run_until([&] { return kept != nullptr; }));
}

TEST_F(UnixSocketTest, CarriesBytesBothWays) {
  const std::string path = rig_->socket_path("s");
  Pair pair;
  const auto listener = loop().listen_unix(path, [&](auto stream) { pair.far.take(std::move(stream)); });
  ASSERT_TRUE(listener) << listener.error().message;
  const auto connecting = loop().connect_unix(path, [&](auto result) {
    ASSERT_TRUE(result) << result.error().message;
    pair.near.take(std::move(*result));
    pair.near.stream->write("ping");
    pair.near.stream->end();
  });
  ASSERT_TRUE(run_until([&] { return pair.far.ends == 1; }));
  EXPECT_EQ(pair.far.data, "ping");
  pair.far.stream->write("pong");
  ASSERT_TRUE(run_until([&] { return pair.near.data == "pong"; }));
}

TEST_F(UnixSocketTest, AMissingFileIsNotFoundAndNamed) {
  const std::string path = rig_->socket_path("nobody");
  std::optional<Error> error;
  const auto connecting = loop().connect_unix(path, [&](auto result) {
    ASSERT_FALSE(result);
    error = result.error();
  });
  ASSERT_TRUE(run_until([&] { return error.has_value(); }));
  EXPECT_EQ(error->code, Code::not_found);
  EXPECT_EQ(error->message, str_cat("connect ", path, ": no such file or directory"));
}

TEST_F(UnixSocketTest, ALivingListenerIsNotReplaced) {
  const std::string path = rig_->socket_path("s");
  const auto first = loop().listen_unix(path, [](auto) {});
  ASSERT_TRUE(first);
  const auto second = loop().listen_unix(path, [](auto) {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::exists);
  EXPECT_EQ(second.error().message, str_cat("listen on ", path, ": somebody listens there already"));
}

}  // namespace
}  // namespace weft::test
