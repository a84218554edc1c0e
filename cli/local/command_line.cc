#include "cli/local/command_line.h"

#include <array>
#include <utility>

#include "base/text.h"

namespace weft::local {

Result<std::vector<std::string>> split_command(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && quote != '\'') {
      if (++i == text.size()) return fail(Code::invalid, "the command ends with a backslash");
      word.push_back(text[i]);
      in_word = true;
    } else if (quote != 0) {
      if (c == quote) {
        quote = 0;
      } else {
        word.push_back(c);
      }
    } else if (c == '"' || c == '\'') {
      quote = c;
      in_word = true;
    } else if (c == ' ' || c == '\t' || c == '\n') {
      if (in_word) words.push_back(std::exchange(word, {}));
      in_word = false;
    } else {
      word.push_back(c);
      in_word = true;
    }
  }
  if (quote != 0) return fail(Code::invalid, str_cat("a quote (", quote, ") is not closed"));
  if (in_word) words.push_back(std::move(word));
  return words;
}

namespace {

std::string_view without_tag(std::string_view image) {
  image = image.substr(0, image.find('@'));
  const std::size_t colon = image.rfind(':');
  // A colon before a slash belongs to the port of a registry.
  if (colon != std::string_view::npos && image.find('/', colon) == std::string_view::npos) {
    image = image.substr(0, colon);
  }
  return image;
}

std::string_view last_segment(std::string_view image) { return image.substr(image.rfind('/') + 1); }

}  // namespace

Status ImageMap::add(std::string_view argument) {
  const std::size_t equals = argument.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return fail(Code::invalid,
                str_cat("--image ", printable(argument), ": expected NAME=COMMAND, as in web=/usr/bin/web"));
  }
  Result<std::vector<std::string>> command = split_command(argument.substr(equals + 1));
  if (!command) return fail(command.error().in(str_cat("--image ", printable(argument))));
  commands_[std::string(argument.substr(0, equals))] = *std::move(command);
  return {};
}

const std::vector<std::string>* ImageMap::find(std::string_view image) const {
  const std::string_view bare = without_tag(image);
  for (const std::string_view name : {image, last_segment(image), bare, last_segment(bare)}) {
    if (const auto found = commands_.find(name); found != commands_.end()) return &found->second;
  }
  return nullptr;
}

Result<ObjectRef> parse_object_ref(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 13> kinds{{
      {"service", "Service"},
      {"services", "Service"},
      {"svc", "Service"},
      {"namespace", "Namespace"},
      {"namespaces", "Namespace"},
      {"ns", "Namespace"},
      {"deployment", "Deployment"},
      {"deployments", "Deployment"},
      {"deploy", "Deployment"},
      {"pod", "Pod"},
      {"pods", "Pod"},
      {"po", "Pod"},
      {"serviceaccount", "ServiceAccount"},
  }};
  const std::size_t slash = text.find('/');
  if (slash != std::string_view::npos && slash + 1 < text.size()) {
    const std::string kind = ascii_lower(text.substr(0, slash));
    for (const auto& [alias, name] : kinds) {
      if (alias == kind) return ObjectRef{std::string(name), std::string(text.substr(slash + 1))};
    }
  }
  return fail(Code::invalid,
              str_cat(printable(text),
                      ": expected KIND/NAME, with a kind of service, namespace, deployment, pod or "
                      "serviceaccount"));
}

Result<AnnotationChange> parse_annotation_change(std::string_view text) {
  const std::size_t equals = text.find('=');
  AnnotationChange change;
  if (equals != std::string_view::npos) {
    change.key = std::string(text.substr(0, equals));
    change.value = std::string(text.substr(equals + 1));
  } else if (text.ends_with('-')) {
    change.key = std::string(text.substr(0, text.size() - 1));
  }
  if (change.key.empty()) {
    return fail(Code::invalid, str_cat(printable(text), ": expected KEY=VALUE, or KEY- to remove it"));
  }
  return change;
}

Status check_mesh_name(std::string_view name) {
  constexpr std::size_t name_max = 32;
  bool good = !name.empty() && name.size() <= name_max && name.front() != '-';
  for (const char c : name) {
    good = good && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-');
  }
  if (good) return {};
  return fail(Code::invalid, str_cat("--name ", printable(name),
                                     ": expected at most 32 lower-case letters, digits and dashes"));
}

}  // namespace weft::local
