#include "codec/http2_order.h"

#include <gtest/gtest.h>

namespace weft::codec {
namespace {

using Verdict = Http2Order::Verdict;

TEST(Http2Order, RequestsInOrderAreFine) {
  Http2Order order;
  for (const int id : {1, 3, 5, 7}) EXPECT_EQ(order.look_at_request(id), Verdict::fine) << id;
  EXPECT_EQ(order.look_at_request(5), Verdict::fine)
      << "open once, and nobody said that it is over: trailers";
}

TEST(Http2Order, ARequestOnAStreamThatWasPassedOverIsOutOfOrder) {
  Http2Order order;
  EXPECT_EQ(order.look_at_request(5), Verdict::fine) << "to pass over some is allowed";
  EXPECT_EQ(order.look_at_request(1), Verdict::out_of_order);
  EXPECT_EQ(order.look_at_request(3), Verdict::out_of_order);
  EXPECT_EQ(order.look_at_request(7), Verdict::fine);
  EXPECT_EQ(order.look_at_request(3), Verdict::out_of_order) << "also later";
}

TEST(Http2Order, WhatComesBehindThePeersOwnEndIsNamed) {
  Http2Order order;
  EXPECT_EQ(order.look_at_request(1), Verdict::fine);
  EXPECT_EQ(order.look_at_request(3), Verdict::fine);
  order.ended(1);
  order.reset(3);
  EXPECT_EQ(order.look(1), Verdict::after_end);
  EXPECT_EQ(order.look(3), Verdict::after_reset);
  EXPECT_EQ(order.look_at_request(1), Verdict::after_end);
  EXPECT_EQ(order.look(5), Verdict::fine);
}

TEST(Http2Order, OfLongAgoNothingIsRemembered) {
  Http2Order order;
  for (int id = 1; id <= 33; id += 2) order.ended(id);
  EXPECT_EQ(order.look(1), Verdict::fine);
  EXPECT_EQ(order.look(3), Verdict::after_end);
  EXPECT_EQ(order.look(33), Verdict::after_end);
}

}  // namespace
}  // namespace weft::codec
