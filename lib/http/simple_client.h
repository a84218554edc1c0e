// One whole request on a connection of its own: probes, control commands, webhooks. Bodies are held whole and
// bounded. Lives on its loop's thread.
#pragma once

#include <memory>
#include <string>

#include "base/callback.h"
#include "codec/message.h"
#include "io/loop.h"

namespace weft::http {

struct FetchReply {
  codec::ResponseHead head;
  std::string body;
};

struct FetchRequest {
  codec::RequestHead head;  // method, target, authority and headers; the body's length is added
  std::string body;
  Duration timeout = std::chrono::seconds(10);  // all of it, connecting included
  std::size_t reply_bytes_max = 4 * 1024 * 1024;
  // For who wants the status: a body that is longer, or breaks off, is cut there and is no error.
  bool body_may_be_cut = false;
};

// A request under way. Destroying it cancels: `done` will not run.
class Fetch {
 public:
  virtual ~Fetch() = default;
};

using FetchDone = Function<void(Result<FetchReply>)>;
// Starts connecting and calls its argument once; destroying what it returns cancels.
using FetchConnect =
    Function<std::unique_ptr<io::Connecting>(Function<void(Result<std::unique_ptr<io::Stream>>)>)>;

// `done` runs exactly once, never inline. Any status is a reply; errors are those of connecting, a time-out,
// a broken or too long reply.
[[nodiscard]] std::unique_ptr<Fetch> fetch(io::Loop& loop, const FetchConnect& connect, FetchRequest request,
                                           FetchDone done);

// The same over HTTP/2, on a stream that is connected and speaks it. REQUIRES: the request has no body.
[[nodiscard]] std::unique_ptr<Fetch> fetch_http2(io::Loop& loop, std::unique_ptr<io::Stream> stream,
                                                 FetchRequest request, FetchDone done);

}  // namespace weft::http
