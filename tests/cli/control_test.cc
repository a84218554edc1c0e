#include "cli/local/control.h"

#include <gtest/gtest.h>

namespace weft::local {
namespace {

TEST(LineReader, CutsLinesHoweverTheyArrive) {
  const std::string text = "one\n\ntwo\nthr";
  for (std::size_t step = 1; step <= text.size(); ++step) {
    LineReader reader;
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size(); at += step) {
      const auto cut = reader.add(std::string_view(text).substr(at, step));
      ASSERT_TRUE(cut);
      lines.insert(lines.end(), cut->begin(), cut->end());
    }
    EXPECT_EQ(lines, (std::vector<std::string>{"one", "", "two"})) << step;
    EXPECT_EQ(*reader.add("ee\n"), std::vector<std::string>{"three"});
  }
}

TEST(LineReader, RefusesALineWithoutEnd) {
  LineReader reader;
  const std::string chunk(1 << 20, 'x');
  Status status;
  for (int i = 0; i < 64 && status; ++i) status = reader.add(chunk).map([](const auto&) {});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::limit);
}

TEST(ControlRequest, IsReadBackAsItWasWritten) {
  ControlRequest request;
  request.verb = "annotate";
  request.name_space = "ns";
  request.name = "service/hello";
  request.container = "app";
  request.file = "a.yaml";
  request.text = "kind: Pod\n\"quoted\"\n";
  request.changes = {"a=b", "c-"};
  request.replicas = 3;
  request.grace = 0;
  EXPECT_EQ(*parse_control_request(to_json(request)), request);
  EXPECT_EQ(to_json(request).find('\n'), std::string::npos);
}

TEST(ControlRequest, DefaultsToTheDefaultNamespace) {
  EXPECT_EQ(parse_control_request(R"({"verb":"status","namespace":""})")->name_space, "default");
  EXPECT_EQ(parse_control_request(R"({"verb":"status"})")->name_space, "default");
}

TEST(ControlRequest, RefusesWrongTypesByName) {
  for (const char* wrong : {"", "[]", "null", R"({"verb":1})", R"({"replicas":-1})", R"({"replicas":"3"})",
                            R"({"grace":99999999999})", R"({"changes":"a=b"})", R"({"changes":[1]})"}) {
    EXPECT_FALSE(parse_control_request(wrong)) << wrong;
  }
  EXPECT_EQ(parse_control_request(R"({"name":1})").error().message, "name: expected text");
}

TEST(ControlError, IsOneLineOfJson) {
  EXPECT_EQ(control_error({Code::not_found, "no \"x\"\n"}), R"({"code":"not-found","error":"no \"x\"\n"})");
}

}  // namespace
}  // namespace weft::local
