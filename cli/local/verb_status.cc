#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/text.h"
#include "cli/local/verb_support.h"

namespace weft::local {
namespace {

using nlohmann::json;

constexpr auto wait_poll = std::chrono::milliseconds(50);

std::string cell(const json& row, const char* name) {
  const auto found = row.find(name);
  if (found == row.end() || found->is_null()) return "-";
  if (found->is_boolean()) return *found->get_ptr<const bool*>() ? "yes" : "no";
  return found->is_string() ? *found->get_ptr<const std::string*>() : found->dump();
}

void print_table(const json& pods) {
  std::vector<std::vector<std::string>> rows{{"NAMESPACE", "NAME", "READY", "STATUS", "RESTARTS", "ADDRESS",
                                              "SERVICE ACCOUNT", "SPIFFE ID", "CERTIFICATE EXPIRES"}};
  for (const json& pod : pods) {
    rows.push_back({cell(pod, "namespace"), cell(pod, "name"), cell(pod, "ready"), cell(pod, "phase"),
                    cell(pod, "restarts"), cell(pod, "address"), cell(pod, "service_account"),
                    cell(pod, "spiffe_id"), cell(pod, "certificate_expires")});
    if (const std::string why = cell(pod, "waiting_for"); why != "-" && !why.empty()) {
      rows.back().back() += str_cat("   waits for ", why);
    }
  }
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - row[i].size() + 3, ' ');
    }
    std::puts(line.c_str());
  }
}

bool all_ready(const json& pods) {
  return std::all_of(pods.begin(), pods.end(), [](const json& pod) {
    return cell(pod, "ready") == "yes" || cell(pod, "phase") == "Completed";
  });
}

Result<json> ask_pods(const StatusOptions& options) {
  ControlRequest request;
  request.verb = "status";
  WEFT_ASSIGN(const std::string answer, ask(options.target, std::move(request)));
  json object = json::parse(answer, nullptr, false);
  const auto pods = object.find("pods");
  if (pods == object.end() || !pods->is_array()) return fail(Code::internal, "the mesh's answer has no pods");
  std::sort(pods->begin(), pods->end(), [](const json& a, const json& b) {
    return std::pair(cell(a, "namespace"), cell(a, "name")) <
           std::pair(cell(b, "namespace"), cell(b, "name"));
  });
  return std::move(*pods);
}

}  // namespace

int status(const StatusOptions& options) {
  const MonotonicTime until = system_monotonic_now() + std::chrono::seconds(options.wait_seconds.value_or(0));
  Result<json> pods = ask_pods(options);
  // A mesh that is only coming up is worth waiting for, too.
  const auto unsettled = [&pods] { return !pods || pods->empty() || !all_ready(*pods); };
  while (options.wait_seconds && unsettled() && system_monotonic_now() < until) {
    std::this_thread::sleep_for(wait_poll);
    pods = ask_pods(options);
  }
  if (!pods) return report(pods.error());
  if (options.output == "json") {
    std::puts(pods->dump(2, ' ', false, json::error_handler_t::replace).c_str());
  } else {
    print_table(*pods);
  }
  if (!options.wait_seconds || all_ready(*pods)) return 0;
  return report({Code::timeout, str_cat("not every pod is ready after ", *options.wait_seconds, " s")});
}

}  // namespace weft::local
