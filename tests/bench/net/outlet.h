// The sending side of a socket: sends at once what the kernel takes and keeps the rest until it takes more.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

namespace weft::bench {

// How many bytes the kernel took, none when it takes no more now; -1 when the connection is broken. After
// less than all, an edge-triggered EPOLLOUT follows.
ssize_t send_some(int fd, std::string_view bytes);

class Outlet {
 public:
  // False: the connection is broken.
  bool send(int fd, std::string_view bytes);
  // To be called when the socket is writable.
  bool flush(int fd) { return unsent_.empty() || flush_unsent(fd); }
  // For what cannot be sent yet, for there is no connection.
  void keep(std::string_view bytes) { unsent_.append(bytes); }
  // Then nothing more should be read that has to go out here.
  bool blocked() const { return !unsent_.empty(); }

 private:
  bool flush_unsent(int fd);

  std::string unsent_;  // has no memory of its own while the socket keeps up
};

}  // namespace weft::bench
