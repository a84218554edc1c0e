#include "kube/yaml_reader.h"

#include <istream>
#include <optional>
#include <set>
#include <streambuf>
#include <utility>

#include <nlohmann/json.hpp>
#include <yaml-cpp/emitter.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "base/text.h"
#include "kube/manifests.h"
#include "kube/yaml_scalar.h"

namespace weft::kube {
namespace {

constexpr std::string_view tag_string = "tag:yaml.org,2002:str";
constexpr std::string_view core_tags = "tag:yaml.org,2002:";

// Ends a parse from inside yaml-cpp's callbacks; caught at the door of read_yaml.
struct Stop {
  Place place;
  std::string message;
};

Place place_of_mark(const YAML::Mark& mark) {
  return {static_cast<unsigned>(mark.line + 1), static_cast<unsigned>(mark.column + 1)};
}

// Reads from a view without a copy.
class ViewBuffer : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view view) {
    char* begin = const_cast<char*>(view.data());
    setg(begin, begin, begin + view.size());
  }
};

// Builds one JSON value from yaml-cpp's events. Go's library, and so kubectl, refuses a key that is there
// twice.
class Builder final : public YAML::EventHandler {
 public:
  std::vector<YamlDocument> documents;

  void OnDocumentStart(const YAML::Mark& mark) override {
    document_ = YamlDocument{.value = {}, .begin = place_of_mark(mark), .places = {}};
    root_ = nullptr;
    frames_.clear();
    anchors_.clear();
    nodes_ = 0;
    bytes_ = 0;
  }
  void OnDocumentEnd() override {
    if (root_.is_null()) return;
    document_.value = std::make_shared<const Json>(std::move(root_));
    documents.push_back(std::move(document_));
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    leaf(mark, Json(nullptr), anchor, false);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    count(mark, 1, value.size());
    if (tag == "!" || tag == tag_string) return leaf(mark, Json(value), anchor, false);
    if (tag != "?" && !tag.starts_with(core_tags))
      throw Stop{place_of_mark(mark), str_cat("unknown tag ", printable(tag))};
    auto plain = plain_scalar(value);
    if (!plain) throw Stop{place_of_mark(mark), plain.error().message};
    leaf(mark, *std::move(plain), anchor, value == "<<");
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw Stop{place_of_mark(mark), "an alias inside its own anchor"};
    count(mark, found->second.nodes, found->second.bytes);
    leaf(mark, Json(found->second.value), YAML::NullAnchor, false);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, Json::array(), anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, Json::object(), anchor);
  }
  void OnMapEnd() override {
    merge(frames_.back());
    close();
  }

 private:
  struct Frame {
    Json value;
    std::string path;
    std::optional<std::string> key;  // mapping: read, and its value is next
    Place key_place;
    std::vector<Json> merges;  // values of "<<" keys
    bool merging = false;
    YAML::anchor_t anchor = YAML::NullAnchor;
    std::size_t nodes_before = 0;
    std::size_t bytes_before = 0;
  };
  struct Anchored {
    Json value;
    std::size_t nodes;
    std::size_t bytes;
  };

  void count(const YAML::Mark& mark, std::size_t nodes, std::size_t bytes) {
    nodes_ += nodes;
    bytes_ += bytes;
    if (nodes_ > manifest_nodes_max)
      throw Stop{place_of_mark(mark),
                 str_cat("more than ", manifest_nodes_max, " values once its aliases are expanded")};
    if (bytes_ > manifest_bytes_max)
      throw Stop{place_of_mark(mark),
                 str_cat("more than ", manifest_bytes_max, " bytes once its aliases are expanded")};
  }

  // Whether the next value is a mapping's key.
  bool at_key() const { return !frames_.empty() && frames_.back().value.is_object() && !frames_.back().key; }

  std::string next_path(const YAML::Mark& mark) const {
    if (frames_.empty()) return {};
    const Frame& top = frames_.back();
    if (top.value.is_array()) return element_path(top.path, top.value.size());
    if (!top.key) throw Stop{place_of_mark(mark), "a mapping or list as a key; Kubernetes knows text only"};
    return member_path(top.path, *top.key);
  }

  void open(const YAML::Mark& mark, Json value, YAML::anchor_t anchor) {
    if (frames_.size() >= manifest_depth_max)
      throw Stop{place_of_mark(mark), str_cat("nested deeper than ", manifest_depth_max)};
    count(mark, 1, 0);
    Frame frame{.value = std::move(value), .path = next_path(mark), .key = {}, .key_place = {}, .merges = {}};
    note_place(frame.path, mark);
    frame.anchor = anchor;
    frame.nodes_before = nodes_ - 1;
    frame.bytes_before = bytes_;
    frames_.push_back(std::move(frame));
  }

  void close() {
    Frame done = std::move(frames_.back());
    frames_.pop_back();
    if (done.anchor != YAML::NullAnchor)
      anchors_[done.anchor] = {done.value, nodes_ - done.nodes_before, bytes_ - done.bytes_before};
    add(std::move(done.value));
  }

  void leaf(const YAML::Mark& mark, Json value, YAML::anchor_t anchor, bool merge_key) {
    if (anchor != YAML::NullAnchor)
      anchors_[anchor] = {value, 1, value.is_string() ? value.get_ptr<const std::string*>()->size() : 0};
    if (at_key()) return take_key(mark, value, merge_key);
    note_place(next_path(mark), mark);
    add(std::move(value));
  }

  void take_key(const YAML::Mark& mark, const Json& value, bool merge_key) {
    Frame& top = frames_.back();
    top.key_place = place_of_mark(mark);
    top.merging = merge_key;
    if (value.is_structured())
      throw Stop{top.key_place, "a mapping or list as a key; Kubernetes knows text only"};
    top.key = value.is_string() ? *value.get_ptr<const std::string*>() : value.dump();
    if (!merge_key && top.value.contains(*top.key))
      throw Stop{top.key_place, str_cat("key ", printable(*top.key), " is there twice")};
  }

  void add(Json value) {
    if (frames_.empty()) {
      root_ = std::move(value);
      return;
    }
    Frame& top = frames_.back();
    if (top.value.is_array()) {
      top.value.push_back(std::move(value));
    } else if (top.merging) {
      take_merge(top, std::move(value));
      top.key.reset();
    } else {
      top.value[*top.key] = std::move(value);
      top.key.reset();
    }
  }

  static void take_merge(Frame& top, Json value) {
    top.merging = false;
    if (value.is_object()) {
      top.merges.push_back(std::move(value));
      return;
    }
    if (!value.is_array()) throw Stop{top.key_place, "<< needs an alias of a mapping"};
    for (Json& element : value) {
      if (!element.is_object()) throw Stop{top.key_place, "<< needs aliases of mappings"};
      top.merges.push_back(std::move(element));
    }
  }

  // Own keys win over merged ones, earlier merges over later ones.
  static void merge(Frame& frame) {
    for (Json& from : frame.merges)
      for (auto& [key, value] : from.items())
        if (!frame.value.contains(key)) frame.value[key] = std::move(value);
  }

  void note_place(const std::string& path, const YAML::Mark& mark) {
    document_.places[path] = place_of_mark(mark);
  }

  YamlDocument document_;
  Json root_;
  std::vector<Frame> frames_;
  std::map<YAML::anchor_t, Anchored> anchors_;
  std::size_t nodes_ = 0;
  std::size_t bytes_ = 0;
};

// Lines of text with one newline at the end, which is all that a literal block keeps.
bool reads_well_as_a_block(std::string_view text) {
  return text.size() > 1 && text.ends_with('\n') && !text.ends_with("\n\n") && text.front() != ' ' &&
         text.front() != '\n' && text.find_first_of("\t\r") == std::string_view::npos;
}

void emit_text(YAML::Emitter& out, const std::string& text) {
  if (const auto plain = plain_scalar(text); plain && plain->is_string()) {
    out << text;
  } else {
    // It would read back as something else.
    out << YAML::DoubleQuoted << text;
  }
}

void emit(YAML::Emitter& out, const Json& value) {
  if (value.is_object()) {
    out << YAML::BeginMap;
    for (const auto& [key, member] : value.items()) {
      out << YAML::Key;
      emit_text(out, key);
      out << YAML::Value;
      emit(out, member);
    }
    out << YAML::EndMap;
  } else if (value.is_array()) {
    out << YAML::BeginSeq;
    for (const Json& element : value) emit(out, element);
    out << YAML::EndSeq;
  } else if (const auto* text = value.get_ptr<const std::string*>()) {
    if (reads_well_as_a_block(*text)) {
      out << YAML::Literal << *text;
    } else {
      emit_text(out, *text);
    }
  } else if (value.is_null()) {
    out << YAML::Null;
  } else {
    out << value.dump();
  }
}

}  // namespace

std::string Place::to_string() const { return str_cat(line, ":", column); }

Place YamlDocument::place_of(std::string path) const {
  while (true) {
    if (const auto found = places.find(path); found != places.end()) return found->second;
    const std::size_t cut = path.find_last_of(".[");
    if (cut == std::string::npos) return begin;
    path.resize(cut);
  }
}

Result<std::vector<YamlDocument>> read_yaml(std::string_view text) {
  if (text.size() > manifest_bytes_max)
    return fail(Code::limit, str_cat("1:1: larger than ", manifest_bytes_max, " bytes"));
  ViewBuffer buffer(text);
  std::istream stream(&buffer);
  Builder builder;
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Stop& stop) {
    return fail(Code::invalid, str_cat(stop.place.to_string(), ": ", stop.message));
  } catch (const YAML::Exception& exception) {
    return fail(Code::invalid, str_cat(place_of_mark(exception.mark).to_string(), ": ", exception.msg));
  }
  return std::move(builder.documents);
}

std::string write_yaml(const Json& value) {
  YAML::Emitter out;
  emit(out, value);
  return str_cat(out.c_str(), "\n");
}

}  // namespace weft::kube
