#include "cli/local/system_setup.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "base/check.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/local/node.h"

namespace weft::local {
namespace {

constexpr const char* own_network = "/proc/thread-self/ns/net";

// Best effort: a setting this kernel does not have cannot be wrong.
void set_sysctl(const std::string& name, const char* value) {
  const UniqueFd fd(::open(str_cat("/proc/sys/net/", name).c_str(), O_WRONLY | O_CLOEXEC));
  if (fd) (void)!::write(fd.get(), value, std::strlen(value));
}

void switch_ipv6(bool on) {
  for (const char* scope : {"all", "default"}) {
    set_sysctl(str_cat("ipv6/conf/", scope, "/disable_ipv6"), on ? "0" : "1");
  }
}

// New namespaces begin with the machine's settings, which differ from one machine to the next.
void set_common_sysctls(bool ipv6) {
  for (const char* scope : {"all", "default"}) {
    set_sysctl(str_cat("ipv4/conf/", scope, "/rp_filter"), "0");
    set_sysctl(str_cat("ipv4/conf/", scope, "/forwarding"), "0");
    set_sysctl(str_cat("ipv6/conf/", scope, "/accept_dad"), "0");
    set_sysctl(str_cat("ipv6/conf/", scope, "/accept_ra"), "0");
  }
  switch_ipv6(ipv6);
}

struct AddressRequest {
  nlmsghdr header;
  ifaddrmsg address;
  rtattr attribute;
  std::uint8_t bytes[16];
};

// One address on loopback, by netlink: this runs before there is anything to run `ip` with.
Status add_loopback_address(const IpAddress& ip) {
  const unsigned short length = ip.is_v4() ? 4 : 16;
  AddressRequest request{};
  request.header.nlmsg_type = RTM_NEWADDR;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK;
  request.header.nlmsg_len = static_cast<unsigned>(NLMSG_LENGTH(sizeof(ifaddrmsg)) + RTA_LENGTH(length));
  request.address.ifa_family = ip.is_v4() ? AF_INET : AF_INET6;
  request.address.ifa_prefixlen = static_cast<unsigned char>(length * 8);
  request.address.ifa_flags = ip.is_v4() ? 0 : IFA_F_NODAD;
  request.address.ifa_index = 1;
  request.attribute.rta_type = IFA_LOCAL;
  request.attribute.rta_len = static_cast<unsigned short>(RTA_LENGTH(length));
  std::memcpy(request.bytes, ip.bytes().data(), length);
  const UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd) return fail(system_error("netlink socket"));
  struct {
    nlmsghdr header;
    nlmsgerr error;
    char rest[256];
  } answer{};
  if (::send(fd.get(), &request, request.header.nlmsg_len, 0) < 0 ||
      ::recv(fd.get(), &answer, sizeof answer, 0) < 0) {
    return fail(system_error("netlink"));
  }
  if (answer.error.error != 0) {
    return fail(system_error(str_cat("address ", ip.to_string(), " on loopback"), -answer.error.error));
  }
  return {};
}

Status bring_loopback_up() {
  const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::memcpy(request.ifr_name, "lo", 3);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (!fd || ::ioctl(fd.get(), SIOCSIFFLAGS, &request) != 0) return fail(system_error("bring loopback up"));
  return {};
}

std::string inner_commands(const AddressPair& pod, const std::string& device, bool v6) {
  const std::string node = node_addresses().v4.to_string();
  std::string commands = str_cat("link set lo up\n", "link add eth0 type veth peer name ", device,
                                 " netns 1\n", "addr add ", pod.v4.to_string(), "/32 dev eth0\n",
                                 "link set eth0 up\n", "route add ", node, " dev eth0 scope link\n",
                                 "route add default via ", node, " dev eth0 src ", pod.v4.to_string(), "\n");
  if (v6) {
    commands += str_cat("addr add ", pod.v6.to_string(), "/128 dev eth0 nodad\n",
                        "route add ::/0 via fe80::1 dev eth0 src ", pod.v6.to_string(), "\n");
  }
  return commands;
}

// The node answers for its IPv4 address on every link; IPv6 neighbours need an address of the very link.
std::string outer_commands(const AddressPair& pod, const std::string& device, bool v6) {
  std::string commands = str_cat("link set ", device, " up\n", "route add ", pod.v4.to_string(), "/32 dev ",
                                 device, " src ", node_addresses().v4.to_string(), "\n");
  if (v6) {
    commands += str_cat("addr add fe80::1/64 dev ", device, " nodad\n", "route add ", pod.v6.to_string(),
                        "/128 dev ", device, " src ", node_addresses().v6.to_string(), "\n");
  }
  return commands;
}

}  // namespace

Status set_up_node_network(bool ipv6) {
  set_common_sysctls(ipv6);
  WEFT_TRY(bring_loopback_up());
  set_sysctl("ipv4/ip_forward", "1");
  set_sysctl("ipv4/ip_unprivileged_port_start", "0");
  for (const AddressPair& pair : {node_addresses(), dns_addresses()}) {
    WEFT_TRY(add_loopback_address(pair.v4));
    if (ipv6) WEFT_TRY(add_loopback_address(pair.v6));
  }
  // Last: it switches every interface to router behaviour.
  set_sysctl("ipv6/conf/all/forwarding", "1");
  return {};
}

void leave_out_ipv6_that_cannot_be_redirected(Reaper& reaper) {
  if (!has_ipv6()) return;
  const auto loaded = reaper.run({"ip6tables-restore", "--wait"}, "*nat\nCOMMIT\n");
  if (loaded) return;
  log::warning("IPv6 is left out of this mesh: ip6tables does not work here",
               {{"why", loaded.error().message}});
  switch_ipv6(false);
}

Status add_service_route(Reaper& reaper) {
  const std::string command =
      str_cat("route add ", service_range_v4, " dev lo src ", node_addresses().v4.to_string(), "\n");
  return reaper.run({"ip", "-batch", "-"}, command).map([](const std::string&) {});
}

Status in_network(int namespace_fd, const Function<void()>& work) {
  const UniqueFd own(::open(own_network, O_RDONLY | O_CLOEXEC));
  if (!own) return fail(system_error(own_network));
  if (::setns(namespace_fd, CLONE_NEWNET) != 0) return fail(system_error("enter the pod's network"));
  work();
  WEFT_CHECK(::setns(own.get(), CLONE_NEWNET) == 0);
  return {};
}

Result<UniqueFd> make_pod_network(Reaper& reaper, std::uint32_t index, bool ipv6) {
  const UniqueFd own(::open(own_network, O_RDONLY | O_CLOEXEC));
  if (!own || ::unshare(CLONE_NEWNET) != 0) return fail(system_error("new network namespace"));
  UniqueFd pod(::open(own_network, O_RDONLY | O_CLOEXEC));
  set_common_sysctls(ipv6);
  // As container runtimes do: a port below 1024 is nothing special in a namespace of one's own.
  set_sysctl("ipv4/ip_unprivileged_port_start", "0");
  set_sysctl("ipv4/ping_group_range", "0 2147483647");
  const AddressPair addresses = pod_addresses(index);
  const std::string device = str_cat("pod", index);
  const Result<std::string> inner =
      reaper.run({"ip", "-batch", "-"}, inner_commands(addresses, device, ipv6));
  WEFT_CHECK(::setns(own.get(), CLONE_NEWNET) == 0);
  if (!inner) return fail(inner.error());
  const Result<std::string> outer =
      reaper.run({"ip", "-batch", "-"}, outer_commands(addresses, device, ipv6));
  if (!outer) return fail(outer.error());
  return pod;
}

}  // namespace weft::local
