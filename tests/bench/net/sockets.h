// TCP sockets for the programs of the bench: non-blocking, TCP_NODELAY, closed on exec.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/address.h"
#include "base/result.h"
#include "io/descriptor.h"

namespace weft::bench {

using io::Descriptor;

// "what: Connection refused", from errno.
Error system_error(std::string_view what);

Result<Descriptor> listen_tcp(const Address& address);
// The socket becomes writable, or reports an error, when the connection has been decided. `from` is the
// source address; its port is chosen late, so that the same one serves several destinations.
Result<Descriptor> start_connect(const Address& to, const std::optional<IpAddress>& from = std::nullopt);
// What a connect that has been decided came to.
Status connect_outcome(int fd);

// Where the accepted connection was going before iptables redirected it.
Result<Address> original_destination(int fd);

// close() then sends RST: the peer sees an error instead of an end, and no port stays behind in TIME_WAIT.
void reset_on_close(int fd);

// As many descriptors as the hard limit allows; how many that is.
std::size_t raise_descriptor_limit();

}  // namespace weft::bench
