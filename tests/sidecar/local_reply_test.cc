#include "sidecar/local_reply.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "codec/grpc_frame.h"

namespace weft::sidecar {
namespace {

struct Recorder final : http::ServerExchange {
  void send_head(const codec::ResponseHead& sent, bool last) override {
    head = sent;
    ended = last;
  }
  void send_body(std::string_view bytes) override { body.append(bytes); }
  void send_end(const codec::Headers&) override { ended = true; }
  void reset(const Error&) override {}
  void pause_body() override {}
  void resume_body() override {}
  bool writable() const override { return true; }
  void abandon_request() override {}
  void close_after() override {}

  codec::ResponseHead head;
  std::string body;
  bool ended = false;
};

Recorder sent(std::string_view content_type, const LocalReply& reply, std::string_view method = "POST") {
  Recorder recorder;
  codec::RequestHead request;
  request.method = method;
  if (!content_type.empty()) request.headers.add("content-type", content_type);
  send_local_reply(recorder, request, reply);
  return recorder;
}

// Status and reason as docs/observability.md lists them, and what a gRPC caller hears.
struct Case {
  int status;
  const char* reason;
  codec::GrpcCode code;
};
constexpr Case cases[] = {
    {403, "rbac-denied", codec::GrpcCode::permission_denied},
    {403, "mtls-required", codec::GrpcCode::permission_denied},
    {400, "unsafe-path", codec::GrpcCode::internal},
    {503, "no-healthy-upstream", codec::GrpcCode::unavailable},
    {503, "upstream-connect-failure", codec::GrpcCode::unavailable},
    {503, "app-unreachable", codec::GrpcCode::unavailable},
    {503, "upstream-reset", codec::GrpcCode::unavailable},
    {503, "no-config", codec::GrpcCode::unavailable},
    {502, "unknown-destination", codec::GrpcCode::unavailable},
    {502, "registry-only", codec::GrpcCode::unavailable},
    {504, "upstream-timeout", codec::GrpcCode::deadline_exceeded},
};

TEST(LocalReply, OfGrpcIsTrailersOnlyWithTheMatchingStatus) {
  for (const Case& one : cases) {
    for (const char* type : {"application/grpc", "application/grpc+proto"}) {
      const Recorder reply = sent(type, {one.status, one.reason, "why: 100 % ä", "service a/b deny #1"});
      SCOPED_TRACE(str_cat(one.reason, " ", type));
      EXPECT_EQ(reply.head.status, 200);
      EXPECT_TRUE(reply.ended);
      EXPECT_EQ(reply.body, "");
      EXPECT_EQ(reply.head.headers.get("content-type"), "application/grpc");
      EXPECT_EQ(reply.head.headers.get("grpc-status"), std::to_string(static_cast<unsigned>(one.code)));
      EXPECT_EQ(reply.head.headers.get("grpc-message"), "why: 100 %25 %C3%A4");
      EXPECT_EQ(reply.head.headers.get("x-weft-error"), one.reason);
      EXPECT_EQ(reply.head.headers.get("x-weft-rule"), "service a/b deny #1");
      EXPECT_FALSE(reply.head.headers.has("content-length"));
    }
  }
}

TEST(LocalReply, OfHttpHasStatusReasonAndALineOfText) {
  for (const Case& one : cases) {
    const Recorder reply = sent("application/json", {one.status, one.reason, "why", {}});
    SCOPED_TRACE(one.reason);
    EXPECT_EQ(reply.head.status, one.status);
    EXPECT_EQ(reply.body, "why\n");
    EXPECT_TRUE(reply.ended);
    EXPECT_EQ(reply.head.headers.get("x-weft-error"), one.reason);
    EXPECT_FALSE(reply.head.headers.has("x-weft-rule"));
    EXPECT_FALSE(reply.head.headers.has("grpc-status"));
  }
}

// RFC 9110 § 9.3.2.
TEST(LocalReply, ToHeadHasNoBody) {
  const Recorder reply = sent("", {503, "no-config", "why", {}}, "HEAD");
  EXPECT_EQ(reply.body, "");
  EXPECT_TRUE(reply.ended);
  EXPECT_EQ(reply.head.headers.get("content-length"), "4");
}

}  // namespace
}  // namespace weft::sidecar
