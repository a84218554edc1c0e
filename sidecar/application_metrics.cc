#include "sidecar/application_metrics.h"

#include <charconv>
#include <cmath>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "policy/path.h"
#include "sidecar/exposition.h"

namespace weft::sidecar {
namespace {

constexpr int status_ok = 200;

Result<std::string> page_of(const Result<http::FetchReply>& reply) {
  if (!reply) return fail(reply.error());
  if (reply->head.status != status_ok)
    return fail(Code::refused, str_cat("HTTP status ", reply->head.status, ", expected 200"));
  return readable_exposition(reply->body);
}

}  // namespace

Result<ApplicationMetricsTarget> parse_application_metrics(std::string_view text) {
  if (text.empty()) return ApplicationMetricsTarget{};
  const std::size_t slash = text.find('/');
  const auto port = parse_number<std::uint16_t>(text.substr(0, slash));
  if (slash == std::string_view::npos || !port || *port == 0 || !policy::fits_request_line(text))
    return fail(Code::invalid,
                str_cat("WEFT_APPLICATION_METRICS: expected PORT/PATH, as in 8080/metrics, found '",
                        printable(text), "'"));
  return ApplicationMetricsTarget{*port, std::string(text.substr(slash))};
}

Duration patience_for(std::string_view scrape_timeout) {
  // Of what Prometheus waits: the rest is for the way and for our own part.
  constexpr double share = 0.6;
  double seconds = 0;
  const auto [end, error] =
      std::from_chars(scrape_timeout.data(), scrape_timeout.data() + scrape_timeout.size(), seconds);
  const bool said = error == std::errc() && end == scrape_timeout.data() + scrape_timeout.size() &&
                    std::isfinite(seconds) && seconds > 0;
  const double most = std::chrono::duration<double>(ApplicationMetrics::patience_max).count();
  if (!said || seconds * share > most) return ApplicationMetrics::patience_max;
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds * share));
}

ApplicationMetrics::ApplicationMetrics(io::Loop& loop, const IpAddress& pod_ip,
                                       ApplicationMetricsTarget target)
    : loop_(loop), pod_ip_(pod_ip), target_(std::move(target)) {}

void ApplicationMetrics::ask(Duration patience, Done done) {
  const std::uint64_t id = ++asked_;
  if (waiting_.size() >= at_once_max) {
    ++failed_;
    return loop_.defer([done = std::move(done)] { done(fail(Code::limit, "too many scrapes at once")); });
  }
  const Address address{pod_ip_, target_.port};
  http::FetchRequest request;
  request.head.method = "GET";
  request.head.target = target_.path;
  request.head.authority = address.to_string();
  // The format that ours is in, and no compression: the two are put together.
  request.head.headers.add("accept", "text/plain;version=0.0.4");
  request.head.headers.add("user-agent", "weft-sidecar");
  request.timeout = patience;
  request.reply_bytes_max = body_bytes_max;
  const http::FetchConnect connect = [this, address, patience](auto connected) {
    io::ConnectOptions options;
    options.timeout = patience;
    return loop_.connect(address, options, std::move(connected));
  };
  Waiting& waiting = waiting_[id];
  waiting.done = std::move(done);
  waiting.fetch =
      http::fetch(loop_, connect, std::move(request),
                  anchor_.guard([this, id](const Result<http::FetchReply>& reply) { answered(id, reply); }));
}

void ApplicationMetrics::answered(std::uint64_t id, const Result<http::FetchReply>& reply) {
  const auto found = waiting_.find(id);
  Waiting waiting = std::move(found->second);
  waiting_.erase(found);
  loop_.delete_later(std::move(waiting.fetch));  // it is the one that calls
  Result<std::string> page = page_of(reply);
  if (!page) ++failed_;
  if (!page && !failing_) {
    log::warning(
        "the application's metrics cannot be had",
        {{"port", std::to_string(target_.port)}, {"path", target_.path}, {"error", page.error().message}});
  }
  failing_ = !page;
  waiting.done(std::move(page));
}

}  // namespace weft::sidecar
