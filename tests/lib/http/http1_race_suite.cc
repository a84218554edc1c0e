// What a client connection says of a request whose peer closed in place of an answer.
#include "base/limits.h"
#include "tests/lib/http/http1_fixture.h"

namespace weft::http {
namespace {

class Http1Race : public Http1Suite {};

// What only used connections do: the peer had given this one up before the request reached it.
TEST_F(Http1Race, AUsedConnectionThatClosesInPlaceOfAnAnswerWasRaced) {
  struct Row {
    bool begun;    // an answer
    bool at_once;  // it closes
    Delivery wanted;
  };
  for (const Row& row : {Row{false, true, Delivery::raced}, Row{true, true, Delivery::maybe},
                         Row{false, false, Delivery::maybe}}) {
    ClientSide client(loop());
    auto peer = raw([&](std::unique_ptr<io::Stream> stream) { client.take(std::move(stream)); });
    client.send(request("GET", "/"), true);
    ASSERT_TRUE(run_until([&] { return peer->near.data.ends_with("\r\n\r\n"); }));
    peer->near.stream->write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    ASSERT_TRUE(run_until([&] { return client.finishes == 1; }));
    peer->near.data.clear();
    client.send(request("GET", "/"), true);
    ASSERT_TRUE(run_until([&] { return peer->near.data.ends_with("\r\n\r\n"); }));
    if (!row.at_once) run_for(limits::close_race_window + std::chrono::milliseconds(10));
    if (row.begun) peer->near.stream->write("HTTP/1.1 103 Early Hints\r\n\r\n");
    peer->near.stream->end();
    ASSERT_TRUE(run_until([&] { return client.aborts == 1; }));
    EXPECT_EQ(client.delivery, row.wanted) << row.begun << row.at_once;
  }
}

TEST_F(Http1Race, OneOfOursThatClosesInOrderHasReadNothing) {
  for (const bool in_order : {false, true}) {
    ClientSide client(loop());
    client.options.clean_close_is_refusal = true;
    auto peer = raw([&](std::unique_ptr<io::Stream> stream) { client.take(std::move(stream)); });
    client.send(request("POST", "/"), true);
    ASSERT_TRUE(run_until([&] { return peer->near.data.ends_with("\r\n\r\n"); }));
    if (in_order) {
      peer->near.stream->end();
    } else {
      peer->near.stream->reset();
      peer->near.stream.reset();
    }
    ASSERT_TRUE(run_until([&] { return client.aborts == 1; }));
    EXPECT_EQ(client.delivery, in_order ? Delivery::never : Delivery::maybe);
  }
}

}  // namespace
}  // namespace weft::http
