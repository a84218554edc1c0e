#include "sidecar/probes.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/text.h"

namespace weft::sidecar {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t timeout_seconds_max = 3600;

// The kubelet waits no longer than we do; so that it hears the reason, and not only its own time-out, we give
// up a little earlier.
Duration timeout_of(std::uint64_t seconds) {
  return std::chrono::seconds(std::clamp<std::uint64_t>(seconds, 1, timeout_seconds_max)) -
         std::chrono::milliseconds(50);
}

Result<http::HealthProbe> parse_probe(const std::string& name, const Json& json) {
  using Kind = http::HealthProbe::Kind;
  const auto bad = [&](std::string_view why) {
    return fail(Code::invalid, str_cat("probe ", name, ": ", why));
  };
  if (!json.is_object()) return bad("expected an object");
  const auto text = [&json](const char* field) {
    const auto found = json.find(field);
    return found != json.end() && found->is_string() ? found->get<std::string>() : "";
  };
  http::HealthProbe probe;
  const std::string type = text("type");
  if (type == "http")
    probe.kind = Kind::http;
  else if (type == "tcp")
    probe.kind = Kind::tcp;
  else if (type == "grpc")
    probe.kind = Kind::grpc;
  else
    return bad("type: expected http, tcp or grpc");
  const auto port = json.find("port");
  if (port == json.end() || !port->is_number_unsigned() || port->get<std::uint64_t>() < 1 ||
      port->get<std::uint64_t>() > 65535) {
    return bad("port: expected 1 to 65535");
  }
  probe.address.port = port->get<std::uint16_t>();
  probe.path = text("path");
  probe.https = equals_ignore_case(text("scheme"), "https");
  probe.service = text("service");
  const auto seconds = json.find("timeoutSeconds");
  const bool has_timeout = seconds != json.end() && seconds->is_number_unsigned();
  probe.timeout = timeout_of(has_timeout ? seconds->get<std::uint64_t>() : 1);
  if (const auto headers = json.find("headers"); headers != json.end() && headers->is_array()) {
    for (const Json& header : *headers) {
      if (!header.is_object() || !header.contains("name") || !header["name"].is_string() ||
          !header.contains("value") || !header["value"].is_string()) {
        return bad("headers: expected a list of name and value");
      }
      probe.headers.push_back({header["name"].get<std::string>(), header["value"].get<std::string>()});
    }
  }
  return probe;
}

// What a Kubernetes user calls it.
std::string_view kind_name(std::string_view endpoint) {
  if (endpoint == "livez") return "liveness";
  if (endpoint == "readyz") return "readiness";
  return "startup";
}

http::SimpleReply reply(int status, std::string body) {
  return http::SimpleReply{status, std::move(body), "text/plain", {}};
}

}  // namespace

Result<ProbeMap> parse_probes(std::string_view json) {
  ProbeMap probes;
  if (json.empty()) return probes;
  const Json root = Json::parse(json, nullptr, false);
  if (!root.is_object()) return fail(Code::invalid, "WEFT_PROBES: expected a JSON object");
  for (const auto& [name, probe] : root.items()) {
    auto parsed = parse_probe(name, probe);
    if (!parsed) return fail(parsed.error().in("WEFT_PROBES"));
    probes.emplace(name, *std::move(parsed));
  }
  return probes;
}

struct Probes::Attempt {
  const std::string& name;
  http::SimpleServer::Respond respond;
  std::unique_ptr<http::ProbeUnderWay> under_way;
};

Probes::Probes(io::Loop& loop, const IpAddress& pod_ip, ProbeMap probes)
    : loop_(loop), probes_(std::move(probes)) {
  for (auto& [name, probe] : probes_) probe.address.ip = pod_ip;
}

Probes::~Probes() = default;

void Probes::probe(std::string_view path, std::string_view user_agent, http::SimpleServer::Respond respond) {
  const std::string_view name = path.substr(path_prefix.size());
  const auto found = probes_.find(name);
  if (found == probes_.end()) {
    return respond(reply(404, str_cat("this pod has no probe '", printable(name), "'\n")));
  }
  if (attempts_.size() >= at_once_max) return respond(reply(503, "too many probes at once\n"));
  http::HealthProbe probe = found->second;
  // In front, so that one of the probe's own wins.
  if (!user_agent.empty()) {
    probe.headers.insert(probe.headers.begin(), {"user-agent", std::string(user_agent)});
  }
  const std::uint64_t id = next_id_++;
  auto attempt = std::make_unique<Attempt>(Attempt{found->first, std::move(respond), nullptr});
  attempt->under_way = http::run_health_probe(
      loop_, std::move(probe), anchor_.guard([this, id](const Status& status) { finish(id, status); }));
  attempts_.emplace(id, std::move(attempt));
}

void Probes::finish(std::uint64_t id, const Status& status) {
  auto node = attempts_.extract(id);
  Attempt& attempt = *node.mapped();
  note(attempt.name, status);
  attempt.respond(status ? reply(200, "") : reply(503, status.error().message + "\n"));
}

void Probes::note(const std::string& name, const Status& status) {
  const auto failing = failing_.find(name);
  if (status && failing == failing_.end()) return;
  if (!status && failing != failing_.end() && failing->second == status.error().message) return;
  const std::size_t slash = name.rfind('/');
  const std::string container = name.substr(0, slash);
  const std::string kind(kind_name(std::string_view(name).substr(slash + 1)));
  if (status) {
    failing_.erase(failing);
    return log::info("probe passes again", {{"container", container}, {"probe", kind}});
  }
  failing_[name] = status.error().message;
  log::warning("probe failed", {{"container", container}, {"probe", kind}, {"why", status.error().message}});
}

}  // namespace weft::sidecar
