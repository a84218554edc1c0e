#include "sidecar/probes.h"

#include <nlohmann/json.hpp>

#include "base/text.h"

namespace weft::sidecar {
namespace {

using Json = nlohmann::json;

Result<ProbeSpec> parse_probe(const std::string& name, const Json& json) {
  const auto bad = [&](std::string_view why) {
    return fail(Code::invalid, str_cat("probe ", name, ": ", why));
  };
  if (!json.is_object()) return bad("expected an object");
  ProbeSpec spec;
  const std::string type =
      json.contains("type") && json["type"].is_string() ? json["type"].get<std::string>() : "";
  if (type == "http")
    spec.type = ProbeSpec::Type::http;
  else if (type == "tcp")
    spec.type = ProbeSpec::Type::tcp;
  else if (type == "grpc")
    spec.type = ProbeSpec::Type::grpc;
  else
    return bad("type: expected http, tcp or grpc");
  const auto port = json.find("port");
  if (port == json.end() || !port->is_number_unsigned() || port->get<std::uint64_t>() < 1 ||
      port->get<std::uint64_t>() > 65535) {
    return bad("port: expected 1 to 65535");
  }
  spec.port = port->get<std::uint16_t>();
  if (const auto path = json.find("path"); path != json.end() && path->is_string())
    spec.path = path->get<std::string>();
  if (!spec.path.starts_with('/')) spec.path.insert(0, "/");
  if (const auto scheme = json.find("scheme"); scheme != json.end() && scheme->is_string()) {
    spec.https = equals_ignore_case(scheme->get<std::string>(), "https");
  }
  if (const auto seconds = json.find("timeoutSeconds");
      seconds != json.end() && seconds->is_number_unsigned()) {
    spec.timeout = std::chrono::seconds(std::clamp<std::uint64_t>(seconds->get<std::uint64_t>(), 1, 3600));
  }
  if (const auto headers = json.find("headers"); headers != json.end() && headers->is_array()) {
    for (const Json& header : *headers) {
      if (!header.is_object() || !header.contains("name") || !header["name"].is_string() ||
          !header.contains("value") || !header["value"].is_string()) {
        return bad("headers: expected a list of name and value");
      }
      spec.headers.push_back(
          codec::Header{header["name"].get<std::string>(), header["value"].get<std::string>()});
    }
  }
  return spec;
}

}  // namespace

Result<std::map<std::string, ProbeSpec, std::less<>>> parse_probes(std::string_view json) {
  std::map<std::string, ProbeSpec, std::less<>> specs;
  if (json.empty()) return specs;
  const Json root = Json::parse(json, nullptr, false);
  if (!root.is_object()) return fail(Code::invalid, "WEFT_PROBES: expected a JSON object");
  for (const auto& [name, probe] : root.items()) {
    auto spec = parse_probe(name, probe);
    if (!spec) return fail(spec.error().in("WEFT_PROBES"));
    specs.emplace(name, *std::move(spec));
  }
  return specs;
}

struct Probes::Attempt {
  http::SimpleServer::Respond respond;
  std::unique_ptr<io::Connecting> connecting;
  std::unique_ptr<http::Fetch> fetch;
};

Probes::Probes(io::Loop& loop, const IpAddress& pod_ip, std::map<std::string, ProbeSpec, std::less<>> specs)
    : loop_(loop), pod_ip_(pod_ip), specs_(std::move(specs)) {}

Probes::~Probes() = default;

void Probes::probe(std::string_view path, http::SimpleServer::Respond respond) {
  const std::string_view name = path.substr(path_prefix.size());
  const auto found = specs_.find(name);
  if (found == specs_.end()) {
    return respond(
        http::SimpleReply{404, str_cat("this pod has no probe '", printable(name), "'\n"), "text/plain", {}});
  }
  const ProbeSpec& spec = found->second;
  const std::uint64_t id = next_id_++;
  const Address target{pod_ip_, spec.port};
  Attempt& attempt = *attempts_.emplace(id, std::make_unique<Attempt>()).first->second;
  attempt.respond = std::move(respond);
  if (spec.type != ProbeSpec::Type::http || spec.https) {
    io::ConnectOptions options;
    options.timeout = spec.timeout;
    attempt.connecting =
        loop_.connect(target, options, anchor_.guard([this, id](Result<std::unique_ptr<io::Stream>> stream) {
          finish(id, stream ? http::SimpleReply{}
                            : http::SimpleReply{503, stream.error().message + "\n", "text/plain", {}});
        }));
    return;
  }
  http::FetchRequest request;
  request.timeout = spec.timeout;
  request.head.method = "GET";
  request.head.target = spec.path;
  request.head.authority = target.to_string();
  for (const codec::Header& header : spec.headers) {
    if (equals_ignore_case(header.name, "host"))
      request.head.authority = header.value;
    else
      request.head.headers.add(header.name, header.value);
  }
  const auto connect = [this, target, timeout = spec.timeout](auto done) {
    io::ConnectOptions options;
    options.timeout = timeout;
    return loop_.connect(target, options, std::move(done));
  };
  attempt.fetch = http::fetch(
      loop_, connect, std::move(request), anchor_.guard([this, id](Result<http::FetchReply> reply) {
        if (!reply) return finish(id, http::SimpleReply{503, reply.error().message + "\n", "text/plain", {}});
        const int status = reply->head.status;
        finish(id, status < 400
                       ? http::SimpleReply{status, "", "text/plain", {}}
                       : http::SimpleReply{
                             503, str_cat("the application answered ", status, "\n"), "text/plain", {}});
      }));
}

void Probes::finish(std::uint64_t id, http::SimpleReply reply) {
  auto node = attempts_.extract(id);
  node.mapped()->respond(std::move(reply));
  loop_.delete_later(std::move(node.mapped()));
}

}  // namespace weft::sidecar
