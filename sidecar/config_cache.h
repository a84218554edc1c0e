// The file that keeps the last configuration over a restart: 0600, replaced whole, no secrets in it. Written
// a moment after a change, on the control thread; a disk that is full costs a warning and nothing else.
#pragma once

#include <memory>
#include <string>

#include "base/callback.h"
#include "base/result.h"
#include "io/loop.h"

namespace weft::sidecar {

class ConfigCache {
 public:
  ConfigCache(io::Loop& loop, std::string path);

  // The bytes of last time. not_found where there are none.
  Result<std::string> read() const;
  // Writes what `content` returns, soon; several requests in a row become one.
  void write_soon(Function<std::string()> content);

 private:
  Status write(const std::string& bytes) const;

  std::string path_;
  Function<std::string()> content_;
  std::unique_ptr<io::Timer> timer_;
  Anchor anchor_;
};

}  // namespace weft::sidecar
