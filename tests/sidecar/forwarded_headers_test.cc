#include "sidecar/forwarded_headers.h"

#include <gtest/gtest.h>

namespace weft::sidecar {
namespace {

codec::Headers headers(std::initializer_list<codec::Header> fields) {
  codec::Headers made;
  for (const codec::Header& field : fields) made.add(field.name, field.value);
  return made;
}

TEST(ForwardedHeaders, AreAddedWhereTheyAreMissing) {
  SeededRandom random(1);
  for (const char* scheme : {"http", "https"}) {
    codec::Headers made;
    complete_forwarded_headers(made, scheme, random);
    EXPECT_EQ(made.get("x-forwarded-proto"), scheme);
    EXPECT_EQ(made.get("x-request-id").value_or("").size(), 36u);
    EXPECT_EQ(made.size(), 2u);
  }
}

TEST(ForwardedHeaders, AreKeptWhereTheyAreThereAndOthersNotTouched) {
  SeededRandom random(1);
  const codec::Headers came = headers({{"X-Forwarded-Proto", "https"},
                                       {"X-Request-Id", "mine"},
                                       {"x-forwarded-host", "a.example"},
                                       {"x-forwarded-for", "198.19.0.1"},
                                       {"forwarded", "for=198.19.0.1"},
                                       {"via", "1.1 other"}});
  codec::Headers kept = came;
  complete_forwarded_headers(kept, "http", random);
  remove_claims(kept);
  EXPECT_EQ(kept, came);
}

// A server that makes variables of headers takes '_' for '-'.
TEST(ForwardedHeaders, ClaimsGoInEverySpelling) {
  codec::Headers came = headers({{"X-Forwarded-Client-Cert", "URI=spiffe://x"},
                                 {"x_forwarded_client_cert", "URI=spiffe://x"},
                                 {"X-Forwarded_Client-Cert", "URI=spiffe://x"},
                                 {"x-weft-error", "overload"},
                                 {"X_Weft_Rule", "none"},
                                 {"x-weft", "stays"},
                                 {"x_weft", "stays"},
                                 {"x-forwarded-client-certificate", "stays"}});
  remove_claims(came);
  EXPECT_EQ(came,
            headers({{"x-weft", "stays"}, {"x_weft", "stays"}, {"x-forwarded-client-certificate", "stays"}}));
}

}  // namespace
}  // namespace weft::sidecar
