// Runs a fuzz target over its corpus, each file whole and cut short at every place: an ordinary test without
// libFuzzer.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz.h"

namespace {

constexpr std::size_t prefixes_max = 512;  // of one file; longer files are cut in larger steps

void run(const std::string& input) {
  // A copy of exactly this size, so that the address sanitizer sees a read past the end.
  const std::vector<std::uint8_t> bytes(input.begin(), input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t files = 0;
  for (int i = 1; i < argc; ++i) {
    std::error_code error;
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(argv[i], error))
      paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    for (const auto& path : paths) {
      std::fprintf(stderr, "%s\n", path.c_str());  // the last one named is the one that broke
      std::ifstream file(path, std::ios::binary);
      const std::string input((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
      run(input);
      const std::size_t step = 1 + input.size() / prefixes_max;
      for (std::size_t size = 0; size < input.size(); size += step) run(input.substr(0, size));
      ++files;
    }
  }
  std::fprintf(stderr, "%zu inputs\n", files);
  return files > 0 ? 0 : 1;  // a corpus that was not found proves nothing
}
