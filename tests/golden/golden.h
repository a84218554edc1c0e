// Golden files: what a pure function gave when somebody last looked at it and found it right. After a wanted
// change: WEFT_WRITE_GOLDEN=1 meson test …, then read the diff before committing it.
#pragma once

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

namespace weft::test {

inline std::string read_golden(const std::string& name) {
  std::ifstream file(std::string(WEFT_GOLDEN_FOLDER) + "/" + name);
  EXPECT_TRUE(file.good()) << "no golden file " << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void expect_golden(const std::string& name, const std::string& actual) {
  if (std::getenv("WEFT_WRITE_GOLDEN") != nullptr) {
    std::ofstream(std::string(WEFT_GOLDEN_FOLDER) + "/" + name) << actual;
  }
  EXPECT_EQ(actual, read_golden(name)) << name;
}

}  // namespace weft::test
