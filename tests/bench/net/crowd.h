// Owns objects that come and go in any order, and that often end inside their own callbacks: what has ended
// lives on until the owner sweeps, after the turn.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace weft::bench {

// T has a member `std::size_t place`, which belongs to the crowd.
template <class T>
class Crowd {
 public:
  T& add(std::unique_ptr<T> member) {
    member->place = members_.size();
    return *members_.emplace_back(std::move(member));
  }
  // REQUIRES: `member` is in the crowd and has not ended.
  void end(T& member) {
    const std::size_t place = member.place;
    std::swap(members_[place], members_.back());
    members_[place]->place = place;
    ended_.push_back(std::move(members_.back()));
    members_.pop_back();
  }
  // How many had ended.
  std::size_t sweep() {
    const std::size_t count = ended_.size();
    ended_.clear();
    return count;
  }
  std::size_t size() const { return members_.size(); }
  auto begin() const { return members_.begin(); }
  auto end() const { return members_.end(); }

 private:
  std::vector<std::unique_ptr<T>> members_;
  std::vector<std::unique_ptr<T>> ended_;
};

}  // namespace weft::bench
