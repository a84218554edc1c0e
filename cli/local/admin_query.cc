#include "cli/local/admin_query.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/local/process.h"
#include "cli/local/system_setup.h"

namespace weft::local {
namespace {

constexpr std::uint16_t admin_port = 15000;
constexpr std::size_t response_bytes_max = 16 * 1024 * 1024;
constexpr timeval patience{1, 0};  // for each step

Result<std::string> fetch(std::string_view path) {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Address address{IpAddress::v4(0x7f000001), admin_port};
  sockaddr_storage storage{};
  const socklen_t length = address.to_sockaddr(storage);
  for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO}) {
    ::setsockopt(fd.get(), SOL_SOCKET, option, &patience, sizeof patience);
  }
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0) {
    return fail(system_error("the admin port"));
  }
  const std::string request =
      str_cat("GET ", path, " HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
  if (::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0)
    return fail(system_error("admin port"));
  std::string response;
  std::array<char, 8192> buffer;
  while (response.size() < response_bytes_max) {
    const ssize_t got = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (got < 0) return fail(system_error("the admin port"));
    if (got == 0) return response;
    response.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return fail(Code::limit, "the answer of the admin port is too long");
}

Result<std::string> fetch_in(int network_fd, std::string_view path) {
  Result<std::string> response = fail(Code::internal, "not asked");
  WEFT_TRY(in_network(network_fd, [&response, path] { response = fetch(path); }));
  return response;
}

}  // namespace

Result<std::string> body_of_response(std::string_view response) {
  const std::size_t head_end = response.find("\r\n\r\n");
  if (!response.starts_with("HTTP/1.1 200") || head_end == std::string_view::npos)
    return fail(Code::invalid,
                str_cat("the admin port answers '", printable(response.substr(0, response.find('\r'))), "'"));
  return std::string(response.substr(head_end + 4));
}

Result<std::string> ask_admin(int network_fd, std::string_view path) {
  WEFT_ASSIGN(const std::string response, fetch_in(network_fd, path));
  return body_of_response(response);
}

Result<CertificateInfo> parse_certificates(std::string_view response) {
  using nlohmann::json;
  const std::size_t head_end = response.find("\r\n\r\n");
  if (!response.starts_with("HTTP/1.1 200") || head_end == std::string_view::npos) {
    return fail(Code::invalid, "the sidecar's admin page has no certificates");
  }
  const json list = json::parse(response.substr(head_end + 4), nullptr, false);
  if (!list.is_array() || list.empty() || !list[0].is_object())
    return fail(Code::not_found, "no certificate yet");
  CertificateInfo info;
  for (const auto& [name, into] :
       {std::pair{"spiffe_id", &info.spiffe_id}, std::pair{"not_after", &info.not_after}}) {
    const auto found = list[0].find(name);
    if (found == list[0].end() || !found->is_string()) return fail(Code::invalid, str_cat(name, ": missing"));
    *into = *found->get_ptr<const std::string*>();
  }
  return info;
}

Result<CertificateInfo> ask_certificate(int network_fd) {
  WEFT_ASSIGN(const std::string response, fetch_in(network_fd, "/certificates"));
  return parse_certificates(response);
}

}  // namespace weft::local
