// An explanation for people.
#include "base/text.h"

#include <algorithm>
#include <cmath>

#include "base/edit_distance.h"
#include "cli/explain/parts.h"
#include "policy/describe.h"

namespace weft::cli {
namespace {

constexpr std::size_t label_width = 12;
constexpr std::size_t listed_max = 8;

class Page {
 public:
  // The first line of a section bears its name.
  void section(std::string_view label) { label_ = label; }
  void line(std::string_view text) {
    std::string row(label_);
    row.append(label_width - std::min(row.size(), label_width - 1), ' ');
    out_.append(row).append(text);
    while (out_.ends_with(' ')) out_.pop_back();
    out_.push_back('\n');
    label_.clear();
  }
  // Rows in columns.
  void table(const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
      widths.resize(std::max(widths.size(), row.size()));
      for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    for (const auto& row : rows) {
      std::string text;
      for (std::size_t i = 0; i < row.size(); ++i)
        text.append(row[i]).append(widths[i] - row[i].size() + 2, ' ');
      line(text);
    }
  }
  std::string take() { return std::move(out_); }

 private:
  std::string label_;
  std::string out_;
};

std::string percent(double value) {
  const long tenths = std::lround(value * 10);
  return tenths % 10 == 0 ? str_cat(tenths / 10, " %") : str_cat(tenths / 10, ".", tenths % 10, " %");
}

void write_caller(Page& page, const Explanation& one) {
  page.section("caller");
  std::string text = one.caller.identity.empty() ? "anonymous, in plaintext" : one.caller.identity;
  if (!one.caller.pod.empty()) text += str_cat("  (pod ", one.caller.pod, ")");
  page.line(text);
  page.section("to");
  page.line(one.address.empty() ? str_cat(one.to, ", ", one.owner)
                                : str_cat(one.to, ", ", one.address, ", ", one.owner));
}

std::string sticky_text(const StickyView& view) {
  if (!view.caller) return view.key + ": this request has none, chance decides";
  const std::string caller = str_cat(view.key, ": ", printable(*view.caller));
  return view.subset.empty() ? caller + " has no subset to keep, none has an endpoint"
                             : str_cat(caller, " keeps ", view.subset);
}

void write_route(Page& page, const OutboundView& view) {
  page.section("route");
  for (const RouteTrial& rule : view.routes) {
    page.line(str_cat("routes #", rule.number, " ", rule.rule,
                      rule.taken     ? "   taken"
                      : rule.matches ? "   matches, but no endpoint of its subset is there: passed over"
                                     : "   does not match"));
  }
  for (const ShareView& share : view.canary) {
    page.line(str_cat("canary ", share.subset, "=", share.weight, ": ",
                      share.percent > 0 || share.weight == 0
                          ? percent(share.percent)
                          : std::string("no endpoint, its share goes to the others")));
  }
  if (view.sticky) page.line(str_cat("sticky by ", sticky_text(*view.sticky)));
  if (view.subset.empty() && view.canary.empty()) page.line("none: all endpoints alike");
}

void write_endpoints(Page& page, const OutboundView& view) {
  page.section("endpoints");
  std::vector<std::vector<std::string>> rows;
  rows.reserve(view.endpoints.size());
  for (const EndpointView& one : view.endpoints) {
    rows.push_back({one.candidate ? "*" : " ", one.endpoint.address.to_string(), one.endpoint.workload,
                    one.endpoint.subset.empty() ? "-" : one.endpoint.subset,
                    one.endpoint.identity.empty() ? "plaintext" : one.endpoint.identity,
                    one.ejected ? "ejected" : ""});
  }
  page.table(rows);
  if (rows.empty()) page.line("none is ready");
}

void write_settings(Page& page, const OutboundView& view) {
  page.section("time-outs");
  page.line(
      str_cat("whole exchange ", view.timeout ? policy::describe(*view.timeout) : "unlimited", ", one try ",
              view.retry.per_try_timeout ? policy::describe(*view.retry.per_try_timeout) : "unlimited"));
  page.section("retries");
  for (const RetryView& retry : view.retries) {
    page.line(retry.times == 0 ? str_cat(retry.failure, ": not tried again")
                               : str_cat(retry.failure, ": tried again up to ", retry.times, " times (",
                                         retry.allowed, ")"));
  }
  if (view.retries.empty()) page.line("of connections that were not established, on another endpoint");
}

std::string balancer_text(const SteeringView& view, bool http) {
  std::string name = policy::describe(view.balancer);
  if (view.balancer.kind != policy::LoadBalancer::Kind::hash) return name;
  if (!http) return name + ": opaque TCP has none, chance decides";
  if (!view.caller) return name + ": this request has none, chance decides";
  const std::string caller = str_cat(name, ": ", printable(*view.caller));
  return view.endpoint.empty() ? caller + " goes to one endpoint of each subset"
                               : str_cat(caller, " goes to ", view.endpoint);
}

void write_steering(Page& page, const OutboundView& view) {
  const SteeringView& steering = *view.steering;
  page.section("balancer");
  page.line(balancer_text(steering, view.http));
  page.section("outlier");
  page.line(str_cat(policy::describe(steering.outlier), " (at most ", steering.ejected_max, " of ",
                    view.endpoints.size(), " endpoints)"));
  page.section("limits");
  page.line(view.http ? policy::describe(steering.limits)
                      : str_cat("connections=", steering.limits.connections));
  if (const std::string fault = policy::describe(steering.fault); !fault.empty()) {
    page.section("fault");
    page.line(fault);
  }
  if (const std::string mirror = policy::describe(steering.mirror); !mirror.empty()) {
    page.section("mirror");
    page.line(steering.mirror_endpoints.empty() ? mirror + ": no endpoint, nothing is copied" : mirror);
  }
}

void write_receiver(Page& page, const ReceiverView& view) {
  page.section("receiver");
  page.line(str_cat(list_of(view.workloads, ""), ", port ", view.port));
  if (!view.sidecar) return page.line(view.past + ": nothing is checked there");
  page.line(str_cat("mTLS ", policy::name_of(view.mtls), view.mutual_tls ? "" : " (this comes in plaintext)",
                    ", protocol ", policy::name_of(view.protocol), ", default-policy ",
                    policy::name_of(view.default_policy)));
  std::vector<std::vector<std::string>> rows;
  rows.reserve(view.rules.size());
  for (const RuleTrial& rule : view.rules) {
    rows.push_back({rule.name, rule.rule,
                    rule.matches
                        ? "matches"
                        : str_cat("does not match", rule.why_not.empty() ? "" : ": ", rule.why_not)});
  }
  page.table(rows);
  page.line(str_cat(view.allowed ? "allows it: " : "refuses it: ", view.why));
}

void write_outcome(Page& page, const Outcome& outcome) {
  page.section("outcome");
  if (outcome.allowed) return page.line(str_cat("allowed: ", outcome.why));
  const std::string what = outcome.status == 0 ? "the connection is closed" : std::to_string(outcome.status);
  page.line(str_cat(outcome.depends ? "depends on the endpoint: " : "refused: ", what, ", ", outcome.reason,
                    ": ", outcome.why));
}

}  // namespace

std::string list_of(std::vector<std::string> names, std::string_view wanted) {
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  if (names.empty()) return "none";
  const auto edits = [wanted](const std::string& name) { return edit_distance(name, wanted); };
  constexpr std::size_t slip = 2;
  std::string text;
  if (!wanted.empty()) {
    const auto nearest = std::min_element(
        names.begin(), names.end(), [&edits](const auto& a, const auto& b) { return edits(a) < edits(b); });
    if (edits(*nearest) <= slip) text = str_cat(*nearest, " (did you mean it?)");
    if (!text.empty()) std::iter_swap(names.begin(), nearest);
  }
  for (std::size_t i = text.empty() ? 0 : 1; i < std::min(names.size(), listed_max); ++i)
    text.append(text.empty() ? "" : ", ").append(names[i]);
  if (names.size() > listed_max) text += str_cat(" and ", names.size() - listed_max, " more");
  return text;
}

std::string to_text(const Explanation& one) {
  Page page;
  write_caller(page, one);
  if (one.outbound) {
    const OutboundView& view = *one.outbound;
    page.section("seen as");
    page.line(str_cat(view.http ? one.request : "opaque TCP", ", the port is declared ",
                      view.protocol == policy::Protocol::detect ? "nothing: the first bytes decide"
                                                                : policy::name_of(view.protocol)));
    if (!one.caller.identity.empty()) write_route(page, view);
    write_endpoints(page, view);
    if (view.steering) write_steering(page, view);
    if (!one.caller.identity.empty()) write_settings(page, view);
  }
  for (const ReceiverView& receiver : one.receivers) write_receiver(page, receiver);
  write_outcome(page, one.outcome);
  page.section("wrong");
  for (const WrongAnnotation& wrong : one.wrong) {
    page.line(str_cat(wrong.object, ": ", wrong.error.to_string()));
    page.line(wrong.in_force
                  ? str_cat("  its last good value is in force: ", printable(*wrong.in_force))
                  : "  no earlier value is known: it counts as absent, a wrong allow or deny closes "
                    "its ports");
  }
  page.section("note");
  for (const std::string& note : one.notes) page.line(note);
  return page.take();
}

}  // namespace weft::cli
