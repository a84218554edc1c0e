#include "base/log.h"

#include <atomic>
#include <memory>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "base/text.h"

namespace weft::log {
namespace {

constexpr std::size_t value_bytes_max = 512;

std::atomic<Level> current_level = Level::info;

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warning:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
    case Level::off:
      return spdlog::level::off;
  }
  return spdlog::level::info;
}

// Made at the first message and never destroyed, so that a message during exit still finds it.
std::shared_ptr<spdlog::logger>& logger() {
  static auto* const instance = [] {
    auto made = std::make_shared<spdlog::logger>("weft", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %n: %v", spdlog::pattern_time_type::utc);
    made->flush_on(spdlog::level::debug);
    return new std::shared_ptr<spdlog::logger>(std::move(made));
  }();
  return *instance;
}

}  // namespace

void init(std::string_view process_name, Level level) {
  logger() = logger()->clone(std::string(process_name));
  set_level(level);
}

void set_level(Level level) {
  current_level.store(level, std::memory_order_relaxed);
  logger()->set_level(to_spdlog(level));
}

Level level() { return current_level.load(std::memory_order_relaxed); }

std::optional<Level> parse_level(std::string_view text) {
  if (text == "debug") return Level::debug;
  if (text == "info") return Level::info;
  if (text == "warning") return Level::warning;
  if (text == "error") return Level::error;
  if (text == "off") return Level::off;
  return std::nullopt;
}

void write(Level level, std::string_view message, std::initializer_list<Field> fields) {
  if (level < log::level()) return;
  std::string line = printable(message, value_bytes_max);
  for (const Field& field : fields) {
    const std::string value = printable(field.value, value_bytes_max);
    const bool quoted = value.empty() || value.find_first_of(" =\"") != std::string::npos;
    line.append(" ").append(field.key).append(quoted ? "=\"" : "=").append(value).append(quoted ? "\"" : "");
  }
  logger()->log(to_spdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace weft::log
