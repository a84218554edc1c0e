// The few files the CA reads and writes, with errors that name the path. Blocking: used at start and when a
// watched file changed.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tls/key.h"

namespace weft::ca {

Result<std::string> read_file(const std::string& path, std::size_t bytes_max);

// A file with a private key in it. `others`: permission bits (as 0077) that it must not have.
Result<tls::SecretText> read_secret_file(const std::string& path, unsigned others);

// Makes `path` with mode 0600 from `parts`, on disk when it returns. Never replaces: Code::exists when there
// is one, and of several who try at once exactly one succeeds. Nobody ever sees a part of it.
Status create_secret_file(const std::string& path, const std::vector<std::string_view>& parts);

// Makes or replaces `path` with mode 0644. A reader sees the old content or the new one.
Status replace_file(const std::string& path, std::string_view content);

}  // namespace weft::ca
