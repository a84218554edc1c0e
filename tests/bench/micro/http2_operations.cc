#include <memory>

#include "codec/http2.h"
#include "tests/bench/micro/operation.h"
#include "tests/bench/micro/samples.h"

namespace weft::bench {
namespace {

using codec::Http2Code;
using codec::Http2Session;
using codec::StreamId;

// A client and a server session of one connection. A call is one exchange without bodies: HPACK of the
// request and of the response, encoded and decoded. The dynamic tables are filled, as on any connection that
// lives.
class Exchange final {
 public:
  explicit Exchange(codec::RequestHead head) : head_(std::move(head)) { head_.scheme = "http"; }

  void run() {
    done_ = false;
    WEFT_CHECK(client_.request(head_, true).has_value());
    carry(client_, server_);
    carry(server_, client_);
    WEFT_CHECK(done_);
  }

 private:
  struct Nothing : codec::Http2Handler {
    void http2_request(StreamId, codec::RequestHead&&, bool) override {}
    void http2_response(StreamId, codec::ResponseHead&&, bool) override {}
    void http2_data(StreamId, std::string_view) override {}
    void http2_end(StreamId, codec::Headers&&) override {}
    void http2_drained(StreamId) override {}
    void http2_closed(StreamId, Http2Code) override {}
    void http2_goaway(StreamId, Http2Code, std::string_view) override {}
    void http2_pong(std::uint64_t) override {}

   protected:
    ~Nothing() = default;
  };
  struct AtServer final : Nothing {
    explicit AtServer(Exchange& owner) : exchange(owner) {}
    void http2_request(StreamId id, codec::RequestHead&&, bool) override {
      exchange.server_.respond(id, exchange.answer_, true);
    }
    Exchange& exchange;
  };
  struct AtClient final : Nothing {
    explicit AtClient(Exchange& owner) : exchange(owner) {}
    void http2_response(StreamId, codec::ResponseHead&& head, bool) override {
      exchange.done_ = head.status == 200;
    }
    Exchange& exchange;
  };

  static void carry(Http2Session& from, Http2Session& to) {
    for (std::string_view bytes = from.produce(); !bytes.empty(); bytes = from.produce())
      to.feed(bytes, MonotonicTime{});
  }

  codec::RequestHead head_;
  codec::ResponseHead answer_ = response_head(response);
  bool done_ = false;
  AtServer at_server_{*this};
  AtClient at_client_{*this};
  Http2Session server_{Http2Session::Role::server, at_server_};
  Http2Session client_{Http2Session::Role::client, at_client_};
};

Function<void()> exchange(std::string_view text) {
  codec::RequestHead head = request_head(text);
  codec::strip_hop_by_hop(head.headers, false);
  return [pair = std::make_unique<Exchange>(std::move(head))] { pair->run(); };
}

}  // namespace

void add_http2_operations(Operations& operations) {
  operations.push_back({"http2/exchange-small", [] { return exchange(small_request); }});
  operations.push_back({"http2/exchange-browser", [] { return exchange(browser_request); }});
}

}  // namespace weft::bench
