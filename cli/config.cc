#include "cli/config.h"

#include <algorithm>
#include <cstdio>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/local/verb_support.h"

namespace weft::cli {
namespace {

using Json = nlohmann::ordered_json;
using Rows = std::vector<std::vector<std::string>>;

const Json& at(const Json& object, const char* name) {
  static const Json nothing;
  if (!object.is_object()) return nothing;
  const auto found = object.find(name);
  return found == object.end() ? nothing : *found;
}

std::string cell(const Json& value) {
  if (value.is_null()) return "-";
  const std::string text = value.is_string() ? *value.get_ptr<const std::string*>() : value.dump();
  return text.empty() ? "-" : text;
}

void add_table(std::string& out, const Rows& rows) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    out.append("  ");
    for (std::size_t i = 0; i < row.size(); ++i) {
      out.append(row[i]);
      if (i + 1 < row.size()) out.append(widths[i] - row[i].size() + 3, ' ');
    }
    out.push_back('\n');
  }
}

void add_inbound(std::string& out, const Json& inbound) {
  if (!inbound.is_object()) {
    out += "INBOUND\n  no policy yet: the pod accepts nothing\n";
    return;
  }
  out += str_cat("INBOUND  ", cell(at(inbound, "workload")), ", ", cell(at(inbound, "identity")),
                 ", default-policy ", cell(at(inbound, "default_policy")), "\n");
  Rows rows{{"PORT", "MTLS", "PROTOCOL", "RULE", ""}};
  for (const Json& port : at(inbound, "ports")) {
    const std::string number = at(port, "port") == 0 ? "others" : cell(at(port, "port"));
    std::vector<std::string> row{number, cell(at(port, "mtls")), cell(at(port, "protocol")), "-", ""};
    if (at(port, "deny_all") == true) row[3] = "all refused: a rule is broken";
    bool first = true;
    for (const Json& rule : at(port, "rules")) {
      if (!first) row = {"", "", "", "", ""};
      row[3] = cell(at(rule, "name"));
      row[4] = cell(at(rule, "rule"));
      rows.push_back(row);
      first = false;
    }
    if (first) rows.push_back(std::move(row));
  }
  add_table(out, rows);
}

std::string retry_cell(const Json& retry) {
  std::string text = at(retry, "attempts").is_null() ? "safe ones" : cell(at(retry, "attempts"));
  if (!at(retry, "on").is_null()) text += str_cat(" on ", cell(at(retry, "on")));
  if (!at(retry, "per_try_timeout").is_null())
    text += str_cat(", a try ", cell(at(retry, "per_try_timeout")));
  return text;
}

std::string canary_cell(const Json& canary) {
  std::vector<std::string> parts;
  if (canary.is_object()) {
    for (const auto& [subset, weight] : canary.items()) parts.push_back(str_cat(subset, "=", weight.dump()));
  }
  return parts.empty() ? "-" : join(parts, ",");
}

void add_service(std::string& out, const Json& service) {
  out += str_cat("\nSERVICE  ", cell(at(service, "name")), "\n");
  add_table(out, {{"PROTOCOL", "TIMEOUT", "RETRIES", "CANARY"},
                  {cell(at(service, "protocol")), cell(at(service, "timeout")),
                   retry_cell(at(service, "retry")), canary_cell(at(service, "canary"))}});
  Rows steering;
  for (const Json& rule : at(service, "routes")) steering.push_back({"route", cell(rule)});
  for (const auto& [label, name] :
       {std::pair{"sticky by", "canary_sticky"}, std::pair{"balancer", "load_balancer"},
        std::pair{"outlier", "outlier"}, std::pair{"limits", "limits"}, std::pair{"fault", "fault"},
        std::pair{"mirror", "mirror"}}) {
    if (const Json& value = at(service, name); !value.is_null()) steering.push_back({label, cell(value)});
  }
  if (at(service, "attempts_header") == true) steering.push_back({"x-weft-attempts", "on responses"});
  if (!steering.empty()) add_table(out, steering);
  Rows rows{{"ENDPOINT", "SUBSET", "WORKLOAD", "IDENTITY", "ACTIVE", "STATE"}};
  for (const Json& endpoint : at(service, "endpoints")) {
    rows.push_back({cell(at(endpoint, "address")), cell(at(endpoint, "subset")),
                    cell(at(endpoint, "workload")), cell(at(endpoint, "identity")),
                    cell(at(endpoint, "active")), at(endpoint, "ejected") == true ? "ejected" : "ok"});
  }
  add_table(out, rows);
}

}  // namespace

Result<std::string> config_tables(std::string_view page) {
  const Json config = Json::parse(page, nullptr, false);
  if (!config.is_object()) return fail(Code::invalid, "the sidecar's /config: expected a JSON object");
  std::string out;
  add_inbound(out, at(config, "inbound"));
  out += str_cat("\nOUTBOUND  outbound-policy ", cell(at(config, "outbound_policy")), "\n");
  for (const Json& service : at(config, "services")) add_service(out, service);
  out += "\nADDRESSES\n";
  Rows rows{{"ADDRESS", "OWNER"}};
  const Json& addresses = at(config, "addresses");
  if (addresses.is_object()) {
    for (const auto& [address, owner] : addresses.items()) rows.push_back({address, cell(owner)});
  }
  std::sort(rows.begin() + 1, rows.end());
  add_table(out, rows);
  return out;
}

int config(const ConfigOptions& options) {
  local::ControlRequest request;
  request.verb = "admin";
  request.name = options.pod;
  request.path = "/config";
  const Result<std::string> answer = local::ask(options.target, std::move(request));
  if (!answer) return local::report(answer.error());
  const std::string page = cell(at(Json::parse(*answer, nullptr, false), "body"));
  if (options.output == "json") {
    std::fputs(page.c_str(), stdout);
    return 0;
  }
  const Result<std::string> tables = config_tables(page);
  if (!tables) return local::report(tables.error());
  std::fputs(tables->c_str(), stdout);
  return 0;
}

}  // namespace weft::cli
