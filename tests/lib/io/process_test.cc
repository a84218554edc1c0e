#include "io/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <sstream>

#include <gtest/gtest.h>

#include "io/signals.h"
#include "tests/support/run_until.h"
#include "tests/support/stream_recorder.h"
#include "tests/support/temp_dir.h"

namespace weft::test {
namespace {

using namespace std::chrono_literals;

std::string read_all(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

class ProcessTest : public ::testing::Test {
 protected:
  io::ProcessOptions shell(const std::string& script) {
    io::ProcessOptions options;
    options.argv = {"sh", "-c", script};
    options.env = {"PATH=/usr/bin:/bin", "GREETING=hello"};
    return options;
  }
  Result<std::unique_ptr<io::Process>> spawn(io::ProcessOptions options) {
    return io::spawn(loop_, std::move(options), [this](io::ExitStatus status) { exit_ = status; });
  }
  bool ended() {
    return run_until(loop_, [&] { return exit_.has_value(); });
  }

  TempDir dir_;
  io::UvLoop loop_;
  std::optional<io::ExitStatus> exit_;
};

TEST_F(ProcessTest, TellsTheExitCode) {
  const auto process = spawn(shell("exit 3"));
  ASSERT_TRUE(process) << process.error().message;
  ASSERT_TRUE(ended());
  EXPECT_EQ(exit_->to_string(), "exit code 3");
  EXPECT_FALSE((*process)->running());
}

TEST_F(ProcessTest, TellsTheSignal) {
  const auto process = spawn(shell("sleep 100"));
  ASSERT_TRUE(process);
  EXPECT_TRUE((*process)->running());
  (*process)->kill(SIGTERM);
  ASSERT_TRUE(ended());
  EXPECT_EQ(exit_->to_string(), "signal 15");
}

TEST_F(ProcessTest, HasTheEnvironmentTheFolderAndTheFilesItWasGiven) {
  const int out = ::open((dir_ / "out").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  auto options = shell("echo $GREETING $HOME $(pwd) >&2; cat");
  options.folder = dir_.path();
  options.standard_output = io::Stdio::to(out);
  options.standard_error = io::Stdio::to(out);
  const auto process = spawn(std::move(options));
  ::close(out);
  ASSERT_TRUE(process) << process.error().message;
  ASSERT_TRUE(ended());
  EXPECT_EQ(exit_->code, 0);
  EXPECT_EQ(read_all(dir_ / "out"), "hello " + dir_.path() + "\n");
}

TEST_F(ProcessTest, TalksThroughPipes) {
  auto options = shell("cat; echo complaint > /dev/stderr");
  options.standard_input = io::Stdio::pipe();
  options.standard_output = io::Stdio::pipe();
  options.standard_error = io::Stdio::pipe();
  const auto process = spawn(std::move(options));
  ASSERT_TRUE(process) << process.error().message;
  StreamRecorder in((*process)->take_stdin());
  StreamRecorder out((*process)->take_stdout());
  StreamRecorder err((*process)->take_stderr());
  in.stream->write("through ");
  in.stream->write("cat");
  in.stream->end();
  ASSERT_TRUE(run_until(loop_, [&] { return exit_ && out.ends == 1 && err.ends == 1; }));
  EXPECT_EQ(out.data, "through cat");
  EXPECT_EQ(err.data, "complaint\n");
}

TEST_F(ProcessTest, AProgramThatIsNotThereIsAnErrorOfSpawn) {
  io::ProcessOptions options;
  options.argv = {"no-such-program"};
  const auto process = spawn(std::move(options));
  ASSERT_FALSE(process);
  EXPECT_EQ(process.error().code, Code::not_found);
  EXPECT_EQ(process.error().message, "spawn no-such-program: no-such-program: no such file or directory");
}

TEST_F(ProcessTest, WhatRunsBeforeExecMayRefuse) {
  auto options = shell("exit 0");
  options.before_exec = [] { return EPERM; };
  const auto process = spawn(std::move(options));
  ASSERT_FALSE(process);
  EXPECT_NE(process.error().message.find("operation not permitted"), std::string::npos);
}

TEST_F(ProcessTest, IgnoredSignalsAreNotHandedDown) {
  // The loop ignores SIGPIPE; a child of it must not.
  const auto process = spawn(shell("kill -PIPE $$; exit 0"));
  ASSERT_TRUE(process);
  ASSERT_TRUE(ended());
  EXPECT_EQ(exit_->signal, SIGPIPE);
}

TEST_F(ProcessTest, DestroyedItIsKilledAndReaped) {
  auto process = spawn(shell("sleep 100"));
  ASSERT_TRUE(process);
  const pid_t pid = (*process)->pid();
  process->reset();
  EXPECT_EQ(waitpid(pid, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
  run_for(loop_, 20ms);
  EXPECT_FALSE(exit_);
}

TEST_F(ProcessTest, AWholeGroupCanBeKilled) {
  auto options = shell("sleep 100 & echo $!; wait");
  options.standard_output = io::Stdio::pipe();
  const auto process = spawn(std::move(options));
  ASSERT_TRUE(process);
  StreamRecorder out((*process)->take_stdout());
  ASSERT_TRUE(run_until(loop_, [&] { return !out.data.empty(); }));
  (*process)->kill_group(SIGKILL);
  // Its end of the pipe closes only when the grandchild is gone too.
  EXPECT_TRUE(run_until(loop_, [&] { return out.ends == 1 && exit_; }));
}

TEST_F(ProcessTest, RunsAsAnotherUserWithoutOurGroups) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  auto options = shell("id -u; id -G");
  options.uid = 1337;
  options.gid = 1337;
  options.standard_output = io::Stdio::pipe();
  const auto process = spawn(std::move(options));
  ASSERT_TRUE(process) << process.error().message;
  StreamRecorder out((*process)->take_stdout());
  ASSERT_TRUE(run_until(loop_, [&] { return out.ends == 1; }));
  EXPECT_EQ(out.data, "1337\n1337\n");
}

TEST_F(ProcessTest, DiesWithItsParent) {
  int to_test[2];
  ASSERT_EQ(pipe2(to_test, O_CLOEXEC), 0);
  const pid_t middle = fork();
  if (middle == 0) {
    // A parent that is killed while its child runs: the child holds the pipe open as long as it lives.
    io::UvLoop loop;
    auto options = shell("echo ready; exec sleep 100");
    options.standard_output = io::Stdio::to(to_test[1]);
    const auto process = io::spawn(loop, std::move(options), nullptr);
    loop.run();
    _exit(0);
  }
  ::close(to_test[1]);
  char text[16];
  ASSERT_EQ(read(to_test[0], text, sizeof text), 6);
  ::kill(middle, SIGKILL);
  waitpid(middle, nullptr, 0);
  EXPECT_EQ(read(to_test[0], text, sizeof text), 0);  // end of file: nobody is left
  ::close(to_test[0]);
}

TEST(SignalTest, CallsBackAndMayBeDestroyedThere) {
  io::UvLoop loop;
  int first = 0;
  int second = 0;
  std::unique_ptr<io::SignalWatch> once;
  once = io::watch_signal(loop, SIGHUP, [&] {
           once.reset();
           ++first;
         }).value();
  const auto always = io::watch_signal(loop, SIGHUP, [&] { ++second; });
  ASSERT_TRUE(always);
  raise(SIGHUP);
  ASSERT_TRUE(run_until(loop, [&] { return first == 1 && second == 1; }));
  raise(SIGHUP);
  ASSERT_TRUE(run_until(loop, [&] { return second == 2; }));
  EXPECT_EQ(first, 1);
}

TEST(SignalTest, OnesThatCannotBeCaughtAreRefused) {
  io::UvLoop loop;
  const auto watch = io::watch_signal(loop, SIGKILL, [] {});
  ASSERT_FALSE(watch);
  EXPECT_EQ(watch.error().message, "watch signal 9: invalid argument");
}

}  // namespace
}  // namespace weft::test
