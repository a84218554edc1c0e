// Tries made again, through two sidecars: for which reasons, where, with what, and how many at most.
#include <set>

#include "base/limits.h"
#include "base/text.h"
#include "tests/sidecar/mesh_fixture.h"

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class MeshRetryTest : public MeshTest {
 protected:
  using Respond = http::SimpleServer::Respond;

  static http::SimpleReply reply(int status) { return http::SimpleReply{status, "", "text/plain", {}}; }

  // Answers each request in order by the next of `answers`, and further ones with 200 and the body's length.
  void serve(SimPod& pod, std::vector<Function<void(Respond)>> answers) {
    pod.stop_serving(app_port);
    auto left = std::make_shared<std::vector<Function<void(Respond)>>>(std::move(answers));
    pod.serve(app_port, [this, left](const http::SimpleRequest& request, Respond respond) {
      ++served;
      if (left->empty()) return respond(http::SimpleReply{200, std::to_string(request.body.size()), "", {}});
      const Function<void(Respond)> next = std::move(left->front());
      left->erase(left->begin());
      next(std::move(respond));
    });
  }
  void always(SimPod& pod, int status) {
    pod.serve(app_port, [this, status](const http::SimpleRequest&, Respond respond) {
      ++served;
      respond(reply(status));
    });
  }
  policy::Service retrying(std::vector<policy::Endpoint> endpoints, std::uint32_t attempts) {
    policy::Service made = service(std::move(endpoints));
    made.retry.attempts = attempts;
    return made;
  }
  const sidecar::RequestRecord& last_record() {
    network_.advance(1s);
    return hello->telemetry.requests.back();
  }

  std::unique_ptr<SimPod> hello = pod("198.18.0.1", "hello");
  std::unique_ptr<SimPod> world = pod("198.18.0.2", "world");
  std::vector<Respond> held;
  int served = 0;
};

// What the first try meets, the name in retry-on that makes a second one of it, and one that does not.
TEST_F(MeshRetryTest, EachConditionOfRetryOnIsActedOn) {
  struct Case {
    const char* what;
    Function<void(Respond)> first;
    std::uint32_t named;
    std::uint32_t other;
    std::uint16_t status;  // named as a code as well, where there is one
  };
  const auto answers = [](int status) {
    return [status](const Respond& respond) { respond(reply(status)); };
  };
  // The application goes away in the midst of the request, and is back for the next one.
  const auto resets = [this](const Respond&) {
    world->loop().defer([this] {
      world->stop_serving(app_port);
      serve(*world, {});
    });
  };
  const auto is_silent = [this](Respond respond) { held.push_back(std::move(respond)); };
  Case cases[] = {
      {"500", answers(500), policy::retry_5xx, policy::retry_gateway_error, 500},
      {"503", answers(503), policy::retry_gateway_error, policy::retry_reset, 503},
      {"409", answers(409), policy::retry_retriable_4xx, policy::retry_5xx, 409},
      {"429", answers(429), 0, policy::retry_5xx | policy::retry_retriable_4xx, 429},
      {"reset", resets, policy::retry_reset, policy::retry_per_try_timeout, 0},
      {"silence", is_silent, policy::retry_per_try_timeout, policy::retry_reset, 0},
  };
  for (Case& c : cases) {
    const auto tries = [&](std::uint32_t retry_on, std::vector<std::uint16_t> statuses) {
      std::vector<Function<void(Respond)>> first;
      first.emplace_back([&c](Respond respond) { c.first(std::move(respond)); });
      serve(*world, std::move(first));
      policy::Service made = retrying({world->endpoint(app_port)}, 1);
      made.retry.retry_on = retry_on;
      made.retry.statuses = std::move(statuses);
      made.retry.per_try_timeout = policy::Millis(2000);
      hello->know({made});
      const auto outcome = call(*hello, get());
      EXPECT_TRUE(outcome) << c.what;
      const sidecar::RequestRecord& record = last_record();
      EXPECT_EQ(record.tries.size() == 2, outcome && outcome->head.status == 200) << c.what;
      EXPECT_EQ(record.tries.front().retry_class, record.tries.size() == 2 ? "idempotent" : "") << c.what;
      return record.tries.size();
    };
    if (c.named != 0) {
      EXPECT_EQ(tries(c.named, {}), 2u) << c.what;
    }
    if (c.status != 0) {
      EXPECT_EQ(tries(0, {c.status}), 2u) << c.what;
    }
    EXPECT_EQ(tries(c.other, {}), 1u) << c.what;
  }
}

TEST_F(MeshRetryTest, NeverTheSameEndpointWhileAnotherIsLeft) {
  auto second = pod("198.18.0.3", "world");
  auto third = pod("198.18.0.4", "world");
  for (SimPod* each : {world.get(), second.get(), third.get()}) always(*each, 503);
  hello->know(
      {retrying({world->endpoint(app_port), second->endpoint(app_port), third->endpoint(app_port)}, 3)});
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(call(*hello, get())->head.status, 503);
    const auto& tries = last_record().tries;
    ASSERT_EQ(tries.size(), 4u);
    EXPECT_EQ((std::set{tries[0].endpoint, tries[1].endpoint, tries[2].endpoint}).size(), 3u);
  }
  EXPECT_GT(hello->telemetry.ejections, 0) << "also where some are ejected";
}

TEST_F(MeshRetryTest, NeverAfterAByteOfTheResponse) {
  const auto app = serve_raw(*world);
  hello->know({retrying({world->endpoint(app_port)}, 5)});
  const auto client = connected(*hello, "GET / HTTP/1.1\r\nhost: world\r\n\r\n");
  ASSERT_TRUE(network_.run_until([&] { return app->got("\r\n\r\n"); }));
  app->last().stream->write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n");
  network_.advance(1s);
  EXPECT_TRUE(client->data.starts_with("HTTP/1.1 200"));
  app->last().stream->reset();
  app->last().stream.reset();
  EXPECT_TRUE(network_.run_until([&] { return client->over(); }, 5s))
      << "cut, so that it is not taken for whole";
  network_.advance(5s);
  EXPECT_EQ(app->served.size(), 1u);
}

TEST_F(MeshRetryTest, ABodyIsSentAgainUpToTheBuffersSize) {
  const auto put = [this](std::size_t bytes) {
    std::vector<Function<void(Respond)>> first;
    first.emplace_back([](const Respond& respond) { respond(reply(503)); });
    serve(*world, std::move(first));
    http::FetchRequest request = get();
    request.head.method = "PUT";
    request.body = std::string(bytes, 'x');
    return call(*hello, std::move(request));
  };
  hello->know({retrying({world->endpoint(app_port)}, 3)});
  const auto again = put(limits::retry_buffer_bytes_max);
  EXPECT_EQ(again->head.status, 200);
  EXPECT_EQ(again->body, std::to_string(limits::retry_buffer_bytes_max));
  EXPECT_EQ(last_record().tries.size(), 2u);
  EXPECT_EQ(put(limits::retry_buffer_bytes_max + 1)->head.status, 503);
  EXPECT_EQ(last_record().tries.size(), 1u);
}

TEST_F(MeshRetryTest, TriesAreSpacedWithJitter) {
  always(*world, 503);
  hello->know({retrying({world->endpoint(app_port)}, 3)});
  std::set<Duration> durations;
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(call(*hello, get())->head.status, 503);
    durations.insert(last_record().duration);
    EXPECT_GE(last_record().duration, 12ms + 25ms + 50ms);
  }
  EXPECT_GT(durations.size(), 5u);
}

// ---- the budget ----

class MeshBudgetTest : public MeshRetryTest {
 protected:
  // The application fails every request after so long.
  void fails_after(Duration time) {
    world->serve(app_port, [this, time](const http::SimpleRequest&, Respond respond) {
      ++served;
      auto timer = std::make_shared<std::unique_ptr<io::Timer>>();
      *timer = world->loop().make_timer([respond = std::move(respond)] { respond(reply(503)); });
      (*timer)->start(time);
      timers.push_back(std::move(timer));
    });
  }
  void begin_request() {
    ++begun;
    in_flight.push_back(hello->fetch(Address::parse("198.18.128.1:80").value(), get(),
                                     [this](const Result<http::FetchReply>& outcome) {
                                       ++ended;
                                       failures += outcome && outcome->head.status == 503 ? 1 : 0;
                                     }));
  }
  bool all_over() {
    return network_.run_until([this] { return ended == begun; }, 600s);
  }

  std::vector<std::shared_ptr<std::unique_ptr<io::Timer>>> timers;
  std::vector<std::unique_ptr<http::Fetch>> in_flight;
  int begun = 0;
  int ended = 0;
  int failures = 0;
};

TEST_F(MeshBudgetTest, ThreeAtATimeAreTriedAgainWhateverTheirShare) {
  fails_after(100ms);
  hello->know({retrying({world->endpoint(app_port)}, 10)});
  for (int i = 0; i < 3; ++i) begin_request();
  ASSERT_TRUE(all_over());
  EXPECT_EQ(served, 3 * 11);
  served = 0;
  // All fail at the same time. Three of ten take what there is, and keep it to their end.
  for (int i = 0; i < 10; ++i) begin_request();
  ASSERT_TRUE(all_over());
  EXPECT_EQ(served, 10 + 3 * 10);
}

// Requests come at a steady pace to a backend that fails each of them after half a second: 50 first tries are
// in flight at any time, so 10 retries may be.
TEST_F(MeshBudgetTest, TheLoadOnABackendThatAlwaysFailsRisesByNoMoreThanTheBudget) {
  fails_after(500ms);
  hello->know({retrying({world->endpoint(app_port)}, 10)});
  constexpr int requests = 2000;
  std::uint32_t most_retries = 0;
  for (int i = 0; i < requests; ++i) {
    begin_request();
    network_.advance(10ms);
    most_retries =
        std::max(most_retries, hello->context().config->service("default/world:80")->load->budget.retries());
  }
  EXPECT_GE(most_retries, 9u) << "the budget is used";
  EXPECT_LE(most_retries, 11u);
  const int tries_under_load = served;
  EXPECT_LE(tries_under_load - requests, requests / 5);
  EXPECT_GE(tries_under_load - requests, requests / 10);
  ASSERT_TRUE(all_over());
  EXPECT_LE(served - tries_under_load, 3 * 10 + 10) << "what the last ones had left";
  EXPECT_EQ(failures, requests) << "each request ends once, with the backend's answer";
}

TEST_F(MeshBudgetTest, ABudgetOfNothingLeavesTheThree) {
  fails_after(500ms);
  policy::Service made = retrying({world->endpoint(app_port)}, 1);
  made.retry.budget_percent = 0;
  hello->know({made});
  for (int i = 0; i < 100; ++i) begin_request();
  ASSERT_TRUE(all_over());
  EXPECT_EQ(served, 103);
}

}  // namespace
}  // namespace weft::test
