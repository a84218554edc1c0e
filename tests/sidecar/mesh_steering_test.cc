// Which endpoint a request goes to: weft.mesh/load-balancer, canary-sticky, outlier.
#include <map>
#include <set>

#include "base/text.h"
#include "tests/sidecar/mesh_fixture.h"

namespace weft::test {
namespace {

using namespace std::chrono_literals;
using policy::CallerKey;
using policy::LoadBalancer;

class MeshSteeringTest : public MeshTest {
 protected:
  MeshSteeringTest() {
    for (int i = 0; i < 3; ++i) {
      worlds_.push_back(pod("198.18.0." + std::to_string(i + 2), "world"));
      worlds_.back()->serve(app_port,
                            [this, i](const http::SimpleRequest&, http::SimpleServer::Respond respond) {
                              const int status = i == 0 ? first_status_ : 200;
                              respond(http::SimpleReply{status, std::to_string(i), "text/plain", {}});
                            });
    }
  }
  // Three endpoints: one of v1, two of v2.
  policy::Service three() {
    std::vector<policy::Endpoint> endpoints;
    for (const auto& world : worlds_) {
      endpoints.push_back(world->endpoint(app_port));
      endpoints.back().subset = endpoints.size() == 1 ? "v1" : "v2";
    }
    return service(std::move(endpoints));
  }
  static http::FetchRequest with(const std::string& name, const std::string& value) {
    http::FetchRequest request = get();
    request.head.headers.add(name, value);
    return request;
  }
  // Who answered.
  std::string answer(http::FetchRequest request) {
    const auto reply = call(*hello_, std::move(request));
    EXPECT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->head.status, 200);
    return reply ? reply->body : "nobody";
  }

  int first_status_ = 200;  // what the first of them answers with
  std::unique_ptr<SimPod> hello_ = pod("198.18.0.1", "hello");
  std::vector<std::unique_ptr<SimPod>> worlds_;
};

TEST_F(MeshSteeringTest, RoundRobinIsEven) {
  policy::Service service = three();
  service.load_balancer.kind = LoadBalancer::Kind::round_robin;
  hello_->know({service});
  std::map<std::string, int> counts;
  for (int i = 0; i < 30; ++i) ++counts[answer(get())];
  EXPECT_EQ(counts, (std::map<std::string, int>{{"0", 10}, {"1", 10}, {"2", 10}}));
}

TEST_F(MeshSteeringTest, AHashSendsAUserToOneEndpointAndARetryToTheNextInItsOrder) {
  policy::Service service = three();
  service.load_balancer = {LoadBalancer::Kind::hash, {CallerKey::Kind::header, "x-user"}};
  hello_->know({service});
  std::map<std::string, std::string> home;
  std::set<std::string> used;
  for (int user = 0; user < 20; ++user) {
    const std::string name = "user-" + std::to_string(user);
    home[name] = answer(with("x-user", name));
    used.insert(home[name]);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(answer(with("X-User", name)), home[name]);
  }
  EXPECT_EQ(used.size(), 3u);
  worlds_[1]->stop_serving(app_port);
  for (const auto& [name, before] : home) {
    const std::string now = answer(with("x-user", name));
    EXPECT_EQ(answer(with("x-user", name)), now);
    EXPECT_TRUE(before == "1" ? now != "1" : now == before) << name;
  }
}

TEST_F(MeshSteeringTest, AStickyCallerKeepsItsSubsetAndMovesOnlyWithTheWeights) {
  policy::Service service = three();
  service.canary_sticky = CallerKey{CallerKey::Kind::cookie, "sid"};
  service.canary = {{"v1", 50}, {"v2", 50}};
  hello_->know({service});
  const auto subset = [this](int user) {
    return answer(with("cookie", "theme=dark; sid=" + std::to_string(user))) == "0" ? "v1" : "v2";
  };
  std::map<int, std::string> first;
  std::map<std::string, int> counts;
  for (int user = 0; user < 40; ++user) {
    first[user] = subset(user);
    ++counts[first[user]];
    for (int i = 0; i < 3; ++i) EXPECT_EQ(subset(user), first[user]);
  }
  EXPECT_EQ(counts.size(), 2u);
  service.canary = {{"v1", 90}, {"v2", 10}};
  hello_->know({service});
  for (int user = 0; user < 40; ++user) {
    if (first[user] == "v1") {
      EXPECT_EQ(subset(user), "v1") << "its share grew";
    }
  }
}

// Before discovery knows of it.
TEST_F(MeshSteeringTest, ASubsetWhosePodsEndAtOnceCostsNoCallerItsAnswerAndTheNextNoTry) {
  policy::Service service = three();
  service.canary_sticky = CallerKey{CallerKey::Kind::header, "x-user"};
  service.canary = {{"v1", 50}, {"v2", 50}};
  hello_->know({service});
  std::vector<std::string> of_v1;
  for (int user = 0; user < 20; ++user) {
    if (answer(with("x-user", std::to_string(user))) == "0") of_v1.push_back(std::to_string(user));
  }
  ASSERT_GE(of_v1.size(), 3u);
  worlds_[0]->stop_serving(app_port);
  worlds_[0]->stop_inbound();
  network_.advance(10min);  // what was pooled is gone
  for (const std::string& user : of_v1) {
    http::FetchRequest post = with("x-user", user);
    post.head.method = "POST";
    post.body = "payout";
    const auto reply = call(*hello_, std::move(post));
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->head.status, 200);
  }
  network_.advance(100ms);
  std::size_t tries = 0;
  for (const sidecar::RequestRecord& record : hello_->telemetry.requests) {
    if (record.method != "POST") continue;
    EXPECT_EQ(record.peers.subset, "v2");
    tries += record.tries.size();
  }
  EXPECT_EQ(tries, of_v1.size() + 1) << "the first of them found out for all";
  network_.advance(2s);
  EXPECT_EQ(hello_->telemetry.ejections, 0);
}

TEST_F(MeshSteeringTest, TheServicesOwnOutlierSettingsEject) {
  policy::Service service = three();
  // Simulated sidecars share what is known of an endpoint: a failure counts at the caller's and at its own.
  service.outlier = {.consecutive = 4, .interval = 10s, .ejection = 5s, .max_percent = 50};
  hello_->know({service});
  first_status_ = 503;
  int broken = 0;
  for (int i = 0; i < 40; ++i) broken += call(*hello_, get())->head.status == 503 ? 1 : 0;
  EXPECT_EQ(broken, 2);
  EXPECT_EQ(hello_->telemetry.ejections, 1);
  network_.advance(5s);
  broken = 0;
  for (int i = 0; i < 40; ++i) broken += call(*hello_, get())->head.status == 503 ? 1 : 0;
  EXPECT_EQ(broken, 2) << "back after its five seconds, and out again";
}

// The Service says how long an answer may take. What a caller would wait says nothing of the endpoint.
TEST_F(MeshSteeringTest, AnEndpointThatIsTooSlowForItsServiceIsEjected) {
  worlds_[0]->stop_serving(app_port);
  const auto held = serve_nobody(*worlds_[0]);
  policy::Service service = three();
  service.outlier = {.consecutive = 2, .interval = 10s, .ejection = 60s, .max_percent = 50};
  service.load_balancer.kind = LoadBalancer::Kind::round_robin;
  hello_->know({service});
  for (int i = 0; i < 9; ++i) {
    http::FetchRequest hurried = get();
    hurried.timeout = 2s;
    call(*hello_, std::move(hurried));
  }
  EXPECT_EQ(hello_->telemetry.ejections, 0);
  service.timeout = policy::Millis(2000);
  hello_->know({service});
  int late = 0;
  for (int i = 0; i < 30; ++i) late += call(*hello_, get())->head.status == 504 ? 1 : 0;
  EXPECT_EQ(late, 2);
  EXPECT_EQ(hello_->telemetry.ejections, 1);
}

// None has sent all of its body when it is over: two are slow, the third waits for the endpoint to say "100".
TEST_F(MeshSteeringTest, WhoWaitsForAHundredIsNoSlowCaller) {
  policy::Service service = three();
  service.outlier = {.consecutive = 1, .interval = 10s, .ejection = 60s, .max_percent = 50};
  service.timeout = policy::Millis(2000);
  hello_->know({service});
  std::vector<std::unique_ptr<RawServer>> silent;
  for (const auto& world : worlds_) {
    world->stop_serving(app_port);
    silent.push_back(serve_raw(*world));
  }
  for (const std::string rest : {"", "expect: 100-continue\r\n\r\nb", "expect: 100-continue\r\n\r\n"}) {
    const auto client = connected(*hello_, str_cat("POST / HTTP/1.1\r\nhost: world\r\ncontent-length: 5\r\n",
                                                   rest.empty() ? "\r\n" : rest));
    ASSERT_TRUE(network_.run_until([&] { return client->data.starts_with("HTTP/1.1 504"); }, 5s))
        << client->data;
    EXPECT_EQ(hello_->telemetry.ejections, rest.ends_with("\n") ? 1 : 0);
  }
}

}  // namespace
}  // namespace weft::test
