#include "tests/support/tiny_disk.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <thread>

#include "base/check.h"
#include "base/text.h"

namespace weft::test {

bool on_tiny_disk(const std::string& folder, std::size_t bytes, Function<void()> test) {
  bool mounted = false;
  std::thread([&] {
    // The namespace is this thread's, and goes with it.
    mounted = unshare(CLONE_NEWNS) == 0 && mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
              mount("tmpfs", folder.c_str(), "tmpfs", 0, str_cat("size=", bytes).c_str()) == 0;
    if (mounted) test();
  }).join();
  return mounted;
}

void fill_disk(const std::string& folder) {
  const int file = open((folder + "/filler").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  WEFT_CHECK(file >= 0);
  const std::string page(4096, 'x');
  while (write(file, page.data(), page.size()) > 0) {
  }
  close(file);
}

}  // namespace weft::test
