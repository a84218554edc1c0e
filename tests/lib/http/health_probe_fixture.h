// Runs probes to their end, and small HTTP/1 applications for them to find.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "base/text.h"
#include "http/health_probe.h"
#include "tests/lib/http/probe_servers.h"

#define EXPECT_TEXT(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

namespace weft::http {

using namespace std::chrono_literals;

class HealthProbes : public testing::Test {
 protected:
  static HealthProbe to(const Address& address) {
    HealthProbe probe;
    probe.address = address;
    probe.timeout = 5s;
    return probe;
  }
  static HealthProbe https_to(const Address& address) {
    HealthProbe probe = to(address);
    probe.https = true;
    return probe;
  }

  // "" for success, else the error's message.
  std::string run(HealthProbe probe) {
    std::optional<Status> result;
    const auto under_way = run_health_probe(loop_, std::move(probe), [&result](const Status& status) {
      EXPECT_FALSE(result) << "done ran twice";
      result = status;
    });
    EXPECT_FALSE(result) << "done ran inline";
    EXPECT_TRUE(test::run_until(loop_, [&result] { return result.has_value(); }));
    return !result ? "no result" : *result ? "" : result->error().message;
  }

  io::UvLoop loop_;
};

// Answers every request with `text`, then ends.
inline test::PlainServer::Answer always(std::string text) {
  return [text = std::move(text)](io::Stream& stream, const std::string& received) {
    if (!received.ends_with("\r\n\r\n")) return;
    stream.write(text);
    stream.end();
  };
}

inline std::string answer(std::string_view status_line, std::string_view body = "") {
  return str_cat("HTTP/1.1 ", status_line, "\r\nContent-Length: ", body.size(), "\r\n\r\n", body);
}

}  // namespace weft::http
