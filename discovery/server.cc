#include "discovery/server.h"

#include <iterator>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "discovery/session.h"

namespace weft::discovery {

ConfigServer::ConfigServer(io::Loop& loop, ServerOptions options)
    : loop_(loop), options_(std::move(options)), state_(options_.mesh), resources_(state_) {
  timer_ = loop_.make_timer(anchor_.guard([this] { apply_batch(); }));
}

ConfigServer::~ConfigServer() { WEFT_CHECK(sessions_.empty()); }

void ConfigServer::add_to(http::GrpcServer& server) {
  server.add_stream("/weft.v1.Discovery/Stream",
                    [self = this](const http::GrpcRequest& request, http::GrpcServerStream& stream) {
                      return std::make_unique<Session>(*self, request, stream);
                    });
}

void ConfigServer::take(std::vector<Change> changes) {
  gathered_.insert(gathered_.end(), std::make_move_iterator(changes.begin()),
                   std::make_move_iterator(changes.end()));
  if (!timer_->active()) timer_->start(synced_ ? options_.gather : Duration::zero());
}

void ConfigServer::apply_batch() {
  const State::Applied applied = state_.apply(std::exchange(gathered_, {}));
  synced_ = true;
  ++counts_.batches;
  counts_.annotations_refused += applied.refused.size();
  for (const RefusedAnnotation& refused : applied.refused)
    log::warning("annotation refused, its last good value stays",
                 {{"object", refused.object}, {"error", refused.error.to_string()}});
  push(resources_.refresh(applied.touched));
}

void ConfigServer::set_bundle(kube::TrustRoots roots) {
  resources_.set_bundle(std::move(roots));
  push({});
}

void ConfigServer::push(const std::set<std::string>& changed) {
  for (Session* session : sessions_) session->state_changed(changed);
}

}  // namespace weft::discovery
