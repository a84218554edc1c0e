// A network namespace in which `weft-sidecar init` runs for real. Needs root.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "base/text.h"
#include "sidecar/init.h"
#include "sidecar/init_command.h"

namespace weft::sidecar {

using namespace std::chrono_literals;

inline const std::string system_path = InitOptions{}.search_path;

inline std::string shell(const std::string& script) {
  const auto output = run_command("/bin/sh", {"-ec", script}, {str_cat("PATH=", system_path)}, "", 20s);
  EXPECT_TRUE(output) << output.error().message;
  if (!output) return "";
  EXPECT_EQ(output->exit_code, 0) << script << "\n" << output->err;
  return output->out;
}

// A network namespace that goes when the object does.
class Namespace {
 public:
  Namespace() {
    EXPECT_EQ(unshare(CLONE_NEWNET), 0) << std::strerror(errno);
    fd_ = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  }
  ~Namespace() { close(fd_); }
  void enter() const { ASSERT_EQ(setns(fd_, CLONE_NEWNET), 0); }
  int fd() const { return fd_; }

 private:
  int fd_ = -1;
};

class InitTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) {
      ASSERT_EQ(std::getenv("CI"), nullptr) << "CI runs this as root";
      GTEST_SKIP() << "needs root to make network namespaces";
    }
    home_ = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    pod_.emplace();
  }
  void TearDown() override {
    pod_.reset();
    if (home_ < 0) return;
    EXPECT_EQ(setns(home_, CLONE_NEWNET), 0);
    close(home_);
  }
  // A device through which packets leave and vanish.
  void add_void_device() {
    shell(
        "ip link set lo up; ip link add weft0 type veth peer name weft1; ip link set weft0 up; ip link set "
        "weft1 up;"
        "ip address add 198.18.0.2/32 dev weft0; ip -6 address add 2001:2::2/128 dev weft0 nodad;"
        "ip route add default dev weft0; ip -6 route add default dev weft0");
  }
  // Runs init and returns what it wrote on standard error; the exit code goes to `exit_code`.
  std::string init(const InitOptions& options, int& exit_code) {
    testing::internal::CaptureStderr();
    exit_code = run_init(options);
    return testing::internal::GetCapturedStderr();
  }
  void init_or_fail(const InitOptions& options = {}) {
    int exit_code = -1;
    const std::string log = init(options, exit_code);
    ASSERT_EQ(exit_code, 0) << log;
  }

  std::optional<Namespace> pod_;

 private:
  int home_ = -1;
};

}  // namespace weft::sidecar
