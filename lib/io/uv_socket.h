// Private to lib/io: what UvLoop::listen, connect and their Unix forms do.
#pragma once

#include "io/uv_loop.h"

namespace weft::io {

Result<std::unique_ptr<Listener>> listen_tcp(UvLoop& loop, const Address& address,
                                             const ListenOptions& options,
                                             Function<void(std::unique_ptr<Stream>)> accepted);
Result<std::unique_ptr<Listener>> listen_unix_socket(UvLoop& loop, const std::string& path,
                                                     Function<void(std::unique_ptr<Stream>)> accepted);
std::unique_ptr<Connecting> connect_tcp(UvLoop& loop, const Address& address, const ConnectOptions& options,
                                        Function<void(Result<std::unique_ptr<Stream>>)> done);
std::unique_ptr<Connecting> connect_unix_socket(UvLoop& loop, const std::string& path,
                                                Function<void(Result<std::unique_ptr<Stream>>)> done);

}  // namespace weft::io
