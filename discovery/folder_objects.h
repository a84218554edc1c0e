// The objects of a set of manifest files. A file that breaks keeps what it last said well; an object that is
// in two files is taken from the first by name. A value: texts in, changes out.
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "discovery/source.h"

namespace weft::discovery {

class FolderObjects {
 public:
  struct Read {
    std::vector<Change> changes;
    std::vector<Error> errors;         // what is wrong with the file as it is now
    std::vector<std::string> skipped;  // kinds that weft does not use
  };
  Read put_file(const std::string& file, std::string_view text);
  std::vector<Change> remove_file(const std::string& file);
  // Files that are wrong at the moment.
  std::size_t broken_files() const { return broken_.size(); }

 private:
  using Objects = std::map<ObjectKey, kube::Object>;
  std::vector<Change> replace(const std::string& file, Objects objects);
  const kube::Object* effective(const ObjectKey& key) const;

  std::map<std::string, Objects> files_;
  std::map<ObjectKey, std::set<std::string>> in_files_;
  std::set<std::string> broken_;
};

}  // namespace weft::discovery
