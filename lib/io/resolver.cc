#include "io/resolver.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/time.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <utility>

#include <ares.h>

#include "base/text.h"
#include "io/uv_handle.h"
#include "io/uv_loop.h"

namespace weft::io {
namespace {

// Kept by c-ares until it answers, and by the handle that may cancel it.
struct Query {
  UvLoop* loop;
  std::string name;
  Resolver::Done done;  // empty: cancelled
};

class QueryHandle final : public Resolving {
 public:
  explicit QueryHandle(std::shared_ptr<Query> query) : query_(std::move(query)) {}
  ~QueryHandle() override { query_->done = nullptr; }

 private:
  std::shared_ptr<Query> query_;
};

Error resolve_error(int status, const std::string& name) {
  const auto message = str_cat("resolve ", printable(name), ": ", ares_strerror(status));
  switch (status) {
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
    case ARES_ENONAME:
      return {Code::not_found, message};
    case ARES_ETIMEOUT:
      return {Code::timeout, message};
    case ARES_EBADNAME:
    case ARES_EFORMERR:
      return {Code::invalid, message};
    default:
      return {Code::unavailable, message};
  }
}

// Names that need no question: addresses, and RFC 6761 § 6.3's.
std::vector<IpAddress> known_addresses(std::string_view name) {
  if (const auto ip = IpAddress::parse(name)) return {*ip};
  if (!name.empty() && name.back() == '.') name.remove_suffix(1);
  constexpr std::string_view suffix = ".localhost";
  const bool inside =
      name.size() > suffix.size() && equals_ignore_case(name.substr(name.size() - suffix.size()), suffix);
  if (!inside && !equals_ignore_case(name, suffix.substr(1))) return {};
  return {IpAddress::parse("127.0.0.1").value(), IpAddress::parse("::1").value()};
}

std::vector<IpAddress> addresses_of(const ares_addrinfo& info) {
  std::vector<IpAddress> addresses;
  for (const ares_addrinfo_node* node = info.nodes; node; node = node->ai_next) {
    const auto address = Address::from_sockaddr(node->ai_addr);
    if (address && std::find(addresses.begin(), addresses.end(), address->ip) == addresses.end()) {
      addresses.push_back(address->ip);
    }
  }
  std::stable_partition(addresses.begin(), addresses.end(), [](const IpAddress& ip) { return ip.is_v4(); });
  return addresses;
}

// Never inline, for c-ares may call from within ares_getaddrinfo: the answer waits for the end of the turn.
void answer_later(const std::shared_ptr<Query>& query, int status, std::vector<IpAddress> addresses) {
  query->loop->defer([query, status, addresses = std::move(addresses)]() mutable {
    const auto done = std::exchange(query->done, nullptr);
    if (!done) return;
    if (status == ARES_SUCCESS) {
      done(std::move(addresses));
    } else {
      done(fail(resolve_error(status, query->name)));
    }
  });
}

void answered(void* argument, int status, int, ares_addrinfo* info) {
  const std::unique_ptr<std::shared_ptr<Query>> query(static_cast<std::shared_ptr<Query>*>(argument));
  std::vector<IpAddress> addresses;
  if (info) {
    addresses = addresses_of(*info);
    ares_freeaddrinfo(info);
  }
  if (status == ARES_EDESTRUCTION || !(*query)->done) return;
  if (status == ARES_SUCCESS && addresses.empty()) status = ARES_ENODATA;
  answer_later(*query, status, std::move(addresses));
}

class CaresResolver final : public Resolver {
 public:
  explicit CaresResolver(UvLoop& loop) : loop_(loop), timer_(loop.make_timer([this] { time_passed(); })) {}
  ~CaresResolver() override {
    if (channel_) ares_destroy(channel_);
  }

  Status open(const ResolverOptions& options) {
    static std::once_flag initialised;
    std::call_once(initialised, [] { ares_library_init(ARES_LIB_INIT_ALL); });
    ares_options ares{};
    std::string resolv_conf = options.resolv_conf;
    ares.resolvconf_path = resolv_conf.data();
    ares.timeout =
        static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(options.timeout).count());
    ares.tries = options.tries;
    ares.sock_state_cb = [](void* self, ares_socket_t socket, int readable, int writable) {
      static_cast<CaresResolver*>(self)->watch(socket, readable != 0, writable != 0);
    };
    ares.sock_state_cb_data = this;
    const int mask = ARES_OPT_RESOLVCONF | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
    if (const int status = ares_init_options(&channel_, &ares, mask); status != ARES_SUCCESS) {
      return weft::fail(Code::internal, str_cat("set up the resolver: ", ares_strerror(status)));
    }
    return use_servers(options.servers);
  }

  std::unique_ptr<Resolving> resolve(const std::string& name, Done done) override {
    auto query = std::make_shared<Query>(Query{&loop_, name, std::move(done)});
    if (auto known = known_addresses(name); !known.empty()) {
      answer_later(query, ARES_SUCCESS, std::move(known));
      return std::make_unique<QueryHandle>(std::move(query));
    }
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_flags = ARES_AI_NOSORT;  // sorting would open sockets to look at routes
    ares_getaddrinfo(channel_, name.c_str(), nullptr, &hints, answered,
                     std::make_unique<std::shared_ptr<Query>>(query).release());
    set_timer();
    return std::make_unique<QueryHandle>(std::move(query));
  }

 private:
  Status use_servers(const std::vector<Address>& servers) {
    if (servers.empty()) return {};
    std::string list;
    for (const Address& server : servers) {
      if (!list.empty()) list += ',';
      list += server.to_string();
    }
    if (const int status = ares_set_servers_ports_csv(channel_, list.c_str()); status != ARES_SUCCESS) {
      return weft::fail(Code::invalid, str_cat("use DNS servers ", list, ": ", ares_strerror(status)));
    }
    return {};
  }

  // c-ares says (false, false) just before it closes the socket.
  void watch(ares_socket_t socket, bool readable, bool writable) {
    if (!readable && !writable) {
      sockets_.erase(socket);
      return;
    }
    auto& poll = sockets_[socket];
    if (!poll &&
        poll.open(this, [&](uv_poll_t* handle) { return uv_poll_init(loop_.raw(), handle, socket); }) < 0) {
      sockets_.erase(socket);  // the question times out
      return;
    }
    const int events = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);
    uv_poll_start(poll.get(), events, [](uv_poll_t* handle, int status, int ready) {
      auto* const self = static_cast<CaresResolver*>(handle->data);
      if (!self) return;
      uv_os_fd_t fd = -1;
      uv_fileno(reinterpret_cast<uv_handle_t*>(handle), &fd);
      const bool failed = status < 0;
      ares_process_fd(self->channel_, failed || (ready & UV_READABLE) ? fd : ARES_SOCKET_BAD,
                      failed || (ready & UV_WRITABLE) ? fd : ARES_SOCKET_BAD);
      self->set_timer();
    });
  }

  void time_passed() {
    ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    set_timer();
  }

  // Only while a question is under way: an idle resolver wakes nobody.
  void set_timer() {
    timeval wait{};
    if (!ares_timeout(channel_, nullptr, &wait)) {
      timer_->stop();
      return;
    }
    // c-ares compares with more than this; a little late rather than twice.
    timer_->start(std::chrono::seconds(wait.tv_sec) + std::chrono::microseconds(wait.tv_usec) +
                  std::chrono::milliseconds(1));
  }

  UvLoop& loop_;
  ares_channel channel_ = nullptr;
  std::unique_ptr<Timer> timer_;
  std::map<ares_socket_t, UvHandle<uv_poll_t>> sockets_;
};

}  // namespace

Result<std::unique_ptr<Resolver>> make_resolver(UvLoop& loop, const ResolverOptions& options) {
  auto resolver = std::make_unique<CaresResolver>(loop);
  WEFT_TRY(resolver->open(options));
  return resolver;
}

}  // namespace weft::io
