// A hash that says the same on every machine and in every version, for choices that several sidecars have to
// make alike: who is in a canary, which endpoint a caller belongs to. Not for keys and not against forgery.
#pragma once

#include <cstdint>
#include <string_view>

namespace weft {

// Every bit of the result depends on every bit of `value` (the finaliser of splitmix64).
constexpr std::uint64_t mix_bits(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

constexpr std::uint64_t stable_hash(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
  return mix_bits(hash);
}

}  // namespace weft
