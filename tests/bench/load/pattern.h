// The bytes of a bulk transfer: a function of seed and position, so that loss, doubling and reordering show.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weft::bench {

class Pattern {
 public:
  static constexpr std::size_t chunk_bytes_max = std::size_t{128} * 1024;

  explicit Pattern(std::uint32_t seed);

  // What stands at `offset`, up to chunk_bytes_max bytes of it.
  std::string_view at(std::uint64_t offset, std::uint64_t bytes) const;
  // How many of `bytes`, which came at `offset`, are as they should be before the first that is not.
  std::size_t matching(std::uint64_t offset, std::string_view bytes) const;

 private:
  std::string repeated_;
};

}  // namespace weft::bench
