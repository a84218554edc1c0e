#include "sidecar/exposition.h"

#include <gtest/gtest.h>

namespace weft::sidecar {
namespace {

std::string readable(std::string_view page) {
  const auto read = readable_exposition(page);
  return read ? *read : "error: " + read.error().message;
}

TEST(ReadableExposition, APageOfTheFormatStaysAsItIs) {
  constexpr std::string_view page =
      "# HELP http_requests_total The \\\\ total\\nof requests.\n"
      "# TYPE http_requests_total counter\n"
      "http_requests_total{method=\"post\",code=\"200\"} 1027 1395066363000\n"
      "http_requests_total{path=\"C:\\\\DIR\\\\F.TXT\",error=\"Cannot:\\n\\\"F.TXT\\\"\",} 1.458255915e9\n"
      "metric_without_timestamp_and_labels 12.47\n"
      "a:b{} +Inf -3982045\n"
      "c NaN\n"
      "d{x=\"\xc3\xa4 } # {\"}  -Inf\n"
      "# TYPE rpc summary\n"
      "rpc{quantile=\"0.5\"} .5\n"
      "rpc_sum 1.7560473e+07\n"
      "rpc_count 2693\n";
  EXPECT_EQ(readable(page), page);
}

TEST(ReadableExposition, WhatIsNoLossGoes) {
  EXPECT_EQ(readable(""), "");
  EXPECT_EQ(readable("a 1"), "a 1\n") << "the last line's end is missing";
  EXPECT_EQ(readable("  a\t1 \r\n\r\n\n \t\nb 2\r\n"), "a\t1\nb 2\n");
  EXPECT_EQ(readable("# a comment\n#\n# TYPE\n# TYPE a\n# TYPE a stateset\n# TYPE 1a counter\na 1\n"),
            "a 1\n");
  EXPECT_EQ(readable("# HELP a wrong \\t escape\n# HELP a cut \\\n# HELP a\na 1\n"), "# HELP a \na 1\n");
}

TEST(ReadableExposition, AFamilyIsDescribedOnceAndBeforeItsSamples) {
  EXPECT_EQ(
      readable(
          "# TYPE a counter\n# TYPE a gauge\n# HELP a x\n# HELP a x\na 1\n# TYPE a counter\n# HELP a x\n"),
      "# TYPE a counter\n# HELP a x\na 1\n");
}

TEST(ReadableExposition, OfOpenMetricsStaysWhatTheTextFormatKnows) {
  EXPECT_EQ(readable("# TYPE foo counter\n# UNIT foo seconds\nfoo_total{a=\"1\"} 17.0 1520879607.789 # "
                     "{trace_id=\"x\"} 0.67\n"
                     "# TYPE bar info\nbar_info{v=\"1\"} 1 1520879607\n# EOF\n"),
            "# TYPE foo counter\nfoo_total{a=\"1\"} 17.0\nbar_info{v=\"1\"} 1\n");
  EXPECT_EQ(readable("a 1 2.5\n").substr(0, 6), "error:") << "only there";
}

TEST(ReadableExposition, OneLineThatIsNoSampleRefusesThePage) {
  for (const std::string_view line : {"<html>",
                                      "a",
                                      "a ",
                                      "1a 1",
                                      "a 1 2 3",
                                      "a one",
                                      "a 1e999",
                                      "a ++1",
                                      "a 0x10",
                                      "a{ 1",
                                      "a{b} 1",
                                      "a{b=c} 1",
                                      "a{b=\"c} 1",
                                      "a{b=\"c\\t\"} 1",
                                      "a{b=\"c\"d=\"e\"} 1",
                                      "a{,} 1",
                                      "a{b=\"1\",b=\"2\"} 1",
                                      "a{__name__=\"c\"} 1",
                                      "a{b:c=\"1\"} 1",
                                      "a{b=\"1\"}",
                                      "a 1 # {x=\"y\"} 1",
                                      "{\"a.b\"} 1",
                                      "a 1\v"}) {
    const auto read = readable_exposition("b 1\n" + std::string(line) + "\nc 1\n");
    ASSERT_FALSE(read) << line;
    EXPECT_NE(read.error().message.find("line 2: "), std::string::npos) << read.error().message;
  }
  EXPECT_EQ(readable("a{b=\"\xff\"} 1\n"), "error: the page is not UTF-8 text");
  EXPECT_EQ(readable(std::string_view("a 1\0\n", 5)), "error: the page is not UTF-8 text");
}

constexpr std::string_view own =
    "# HELP weft_ready 1 when so.\n# TYPE weft_ready gauge\nweft_ready 1\n"
    "# HELP took How long.\n# TYPE took histogram\ntook_sum 1\n";

TEST(MergeExpositions, TheApplicationsPartStandsBehindOurs) {
  EXPECT_EQ(merge_expositions(std::string(own), "# TYPE shop_orders gauge\nshop_orders 7\n"),
            std::string(own) + "# TYPE shop_orders gauge\nshop_orders 7\n");
  EXPECT_EQ(merge_expositions(std::string(own), ""), own);
}

TEST(MergeExpositions, WhatTheSidecarHasUnderItsNameIsLeftOutAndSaidSo) {
  EXPECT_EQ(
      merge_expositions(
          std::string(own),
          "# TYPE weft_ready gauge\nweft_ready{x=\"1\"} 5\n# HELP took x\ntook_bucket{le=\"1\"} 1\n"
          "took_count 3\ntook 1\nweft_ready_count_of_others 1\n"),
      std::string(own) +
          "weft_ready_count_of_others 1\n"
          "# weft: 6 lines of the application's are left out: the sidecar has metrics of these names\n");
}

TEST(MergeExpositions, WhyThereIsNothingIsOneLine) {
  EXPECT_EQ(missing_application_comment("connect: refused\nweft_ready 7"),
            "# weft: without the application's metrics: connect: refused\\x0aweft_ready 7\n");
}

}  // namespace
}  // namespace weft::sidecar
