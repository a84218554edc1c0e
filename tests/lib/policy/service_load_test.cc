#include "policy/service_load.h"

#include <vector>

#include <gtest/gtest.h>

namespace weft::policy {
namespace {

TEST(Place, IsGrantedUpToTheLimitAndGivenBackOnce) {
  LoadCount count{0};
  std::vector<Place> places(3);
  EXPECT_TRUE(places[0].take(count, 2));
  EXPECT_TRUE(places[1].take(count, 2));
  EXPECT_FALSE(places[2].take(count, 2));
  EXPECT_FALSE(places[2]);
  EXPECT_EQ(count, 2u);
  places[0].give_back();
  places[0].give_back();
  EXPECT_EQ(count, 1u);
  EXPECT_TRUE(places[2].take(count, 2));
  Place moved = std::move(places[2]);
  EXPECT_EQ(count, 2u);
  places.clear();
  EXPECT_EQ(count, 1u) << "the one that moved is still held";
}

TEST(Place, ALimitThatSinksGrantsNothingUntilEnoughAreGivenBack) {
  LoadCount count{0};
  std::vector<Place> places(5);
  for (Place& place : places) EXPECT_TRUE(place.take(count, 5));
  Place next;
  EXPECT_FALSE(next.take(count, 2));
  places.resize(2);
  EXPECT_FALSE(next.take(count, 2));
  places.resize(1);
  EXPECT_TRUE(next.take(count, 2));
}

TEST(ConnectionPlace, OutlivesWhatItIsCountedFor) {
  auto load = std::make_shared<ServiceLoad>();
  const std::weak_ptr<ServiceLoad> watched = load;
  ConnectionPlace place;
  ConnectionPlace beyond;
  EXPECT_TRUE(place.take(*load, 1));
  EXPECT_FALSE(beyond.take(*load, 1));
  EXPECT_TRUE(beyond.take(*load, 1, true));
  EXPECT_EQ(load->connections, 2u);
  beyond.give_back();
  EXPECT_EQ(load->connections, 1u);
  load.reset();
  EXPECT_FALSE(watched.expired());
  ConnectionPlace moved = std::move(place);
  moved.give_back();
  EXPECT_TRUE(watched.expired());
}

TEST(Sizes, WhatWorkersShareOfAServiceIsOneCacheLine) { EXPECT_EQ(sizeof(ServiceLoad), 64u); }

}  // namespace
}  // namespace weft::policy
