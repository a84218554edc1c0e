// Real workers on real threads: what the control thread hands them, and that they come and go.
#include "sidecar/worker.h"

#include <algorithm>
#include <atomic>

#include <gtest/gtest.h>

#include "io/uv_loop.h"
#include "sidecar/worker_telemetry.h"
#include "tests/support/run_until.h"
#include "tests/support/stream_recorder.h"

namespace weft::sidecar {
namespace {

class WorkerTest : public testing::Test {
 protected:
  WorkerTest() {
    settings_.pod_ips = {IpAddress::parse("127.0.0.1").value()};
    settings_.ports.outbound = free_port();
    settings_.ports.inbound = free_port();
  }

  std::uint16_t free_port() {
    return loop_.listen(Address{IpAddress::parse("127.0.0.1").value(), 0}, {}, [](auto) {})
        .value()
        ->local_address()
        .port;
  }

  io::UvLoop loop_;
  Settings settings_;
  policy::EndpointRegistry endpoints_;
  Metrics metrics_{2};
  AccessLogSink sink_{2};
  WorkerTelemetry first_telemetry_{metrics_, 0, sink_};
  WorkerTelemetry second_telemetry_{metrics_, 1, sink_};
};

TEST_F(WorkerTest, ClosesWhatWasNotRedirectedOnBothPortsWhileConfigurationsArrive) {
  Worker first(settings_, endpoints_, first_telemetry_, 1, [](const Address&) {});
  Worker second(settings_, endpoints_, second_telemetry_, 2, [](const Address&) {});
  std::atomic<int> opened = 0;
  for (Worker* worker : {&first, &second}) {
    const Status started = worker->start();
    ASSERT_TRUE(started) << started.error().message;
    worker->open_inbound([&](const Status& status) { opened += status ? 1 : 100; });
  }
  ASSERT_TRUE(test::run_until(loop_, [&] { return opened == 2; }));
  std::vector<std::unique_ptr<test::StreamRecorder>> streams;
  std::vector<std::unique_ptr<io::Connecting>> attempts;
  for (int i = 0; i < 40; ++i) {
    const std::uint16_t port = i % 2 == 0 ? settings_.ports.outbound : settings_.ports.inbound;
    attempts.push_back(loop_.connect(Address{IpAddress::parse("127.0.0.1").value(), port}, {},
                                     [&](Result<std::unique_ptr<io::Stream>> stream) {
                                       ASSERT_TRUE(stream) << stream.error().message;
                                       streams.push_back(
                                           std::make_unique<test::StreamRecorder>(*std::move(stream)));
                                     }));
    for (Worker* worker : {&first, &second}) worker->set_config(std::make_shared<const Config>());
  }
  const auto all_over = [&] {
    return streams.size() == 40 &&
           std::all_of(streams.begin(), streams.end(), [](const auto& stream) { return stream->over(); });
  };
  EXPECT_TRUE(test::run_until(loop_, all_over));
  const std::string text = metrics_.render(ProcessMetrics(), loop_.wall_now());
  EXPECT_NE(text.find("not-redirected"), std::string::npos);
  first.drain_inbound();
  EXPECT_EQ(first.connections() + second.connections(), 0u);
}

TEST_F(WorkerTest, TellsWhichAddressesAreInUse) {
  Worker worker(settings_, endpoints_, first_telemetry_, 1, [](const Address&) {});
  ASSERT_TRUE(worker.start());
  std::atomic<int> told = -1;
  worker.take_used_addresses([&](std::vector<Address> used) { told = static_cast<int>(used.size()); });
  EXPECT_TRUE(test::run_until(loop_, [&] { return told == 0; }));
}

}  // namespace
}  // namespace weft::sidecar
