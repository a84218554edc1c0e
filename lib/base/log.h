// The process log: one line an event on standard error, "time level message key=value …". Values are made
// printable here, so bytes from the network may be passed as they are; secrets must never be. Any thread.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace weft::log {

enum class Level { debug, info, warning, error, off };

struct Field {
  std::string_view key;
  std::string value;
};

// Sets up the log of this process; before it, messages go out at `info` under the name "weft".
void init(std::string_view process_name, Level level);
void set_level(Level level);
Level level();
std::optional<Level> parse_level(std::string_view text);  // "debug", "info", "warning", "error", "off"

void write(Level level, std::string_view message, std::initializer_list<Field> fields = {});
inline void debug(std::string_view message, std::initializer_list<Field> fields = {}) {
  if (level() <= Level::debug) write(Level::debug, message, fields);
}
inline void info(std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::info, message, fields);
}
inline void warning(std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::warning, message, fields);
}
inline void error(std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::error, message, fields);
}

}  // namespace weft::log
