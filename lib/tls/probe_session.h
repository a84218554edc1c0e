// The BoringSSL half of unverified_probe.h. Internal to lib/tls.
#pragma once

#include <string>

#include <openssl/ssl.h>

#include "base/result.h"

namespace weft::tls {

// A client session that takes any certificate. Errors: a server name that cannot be sent.
Result<bssl::UniquePtr<SSL>> make_probe_session(const std::string& server_name, bool tls13);

}  // namespace weft::tls
