// Families of time series, sharded by worker. A SeriesFamily is the one table of the process, locked when a
// series is made and when somebody scrapes; a SeriesCache is a worker's own way to the series it uses,
// without a lock.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/text.h"

namespace weft::sidecar {

// Written by one worker, read by whoever scrapes.
class Counter {
 public:
  void add(std::uint64_t n) { value_.store(value() + n, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// The values of a series' labels, joined: no value may hold the separator.
inline constexpr char label_separator = '\x1f';
// What stands for every value once a family is full.
inline constexpr std::string_view other_value = "other";

template <class Shard>
struct Series {
  Series(std::size_t workers, std::int64_t now_s) : shards(workers), last_used_s(now_s) {}
  std::vector<Shard> shards;
  std::atomic<std::int64_t> last_used_s;  // wall clock
  std::atomic<bool> retired{false};       // no longer in the family: whoever holds it asks again
};

template <class Shard>
class SeriesFamily {
 public:
  SeriesFamily(std::size_t workers, std::size_t series_max) : workers_(workers), series_max_(series_max) {}

  struct Found {
    std::shared_ptr<Series<Shard>> series;
    bool overflow = false;  // the family is full: this is the series of all others
  };
  // Made now where it is not there: a new one counts as used, or a scrape might forget it before its first
  // use.
  Found find(const std::string& key, std::int64_t now_s) {
    const std::lock_guard lock(mutex_);
    const auto known = series_.find(key);
    if (known != series_.end()) {
      known->second->last_used_s.store(now_s, std::memory_order_relaxed);
      return {known->second, false};
    }
    if (series_.size() < series_max_) return {make(key, now_s), false};
    const std::string other = other_key(key);
    const auto others = series_.find(other);
    return {others != series_.end() ? others->second : make(other, now_s), true};
  }

  // Forgets what nobody has used since `oldest_s`, then calls visit(label values, series) for each, in order.
  template <class Visit>
  void visit(std::int64_t oldest_s, Visit visit) {
    const std::lock_guard lock(mutex_);
    for (auto at = series_.begin(); at != series_.end();) {
      if (at->second->last_used_s.load(std::memory_order_relaxed) < oldest_s) {
        at->second->retired.store(true, std::memory_order_relaxed);
        at = series_.erase(at);
        continue;
      }
      visit(split(at->first, label_separator), *at->second);
      ++at;
    }
  }
  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return series_.size();
  }
  std::size_t series_max() const { return series_max_; }

 private:
  std::shared_ptr<Series<Shard>> make(const std::string& key, std::int64_t now_s) {
    return series_[key] = std::make_shared<Series<Shard>>(workers_, now_s);
  }
  // As many labels, each of them "other".
  static std::string other_key(const std::string& key) {
    std::string out(other_value);
    for (const char c : key) {
      if (c == label_separator) out.append(1, label_separator).append(other_value);
    }
    return out;
  }

  const std::size_t workers_;
  const std::size_t series_max_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Series<Shard>>> series_;
};

template <class Shard>
class SeriesCache {
 public:
  SeriesCache(SeriesFamily<Shard>& family, std::size_t worker) : family_(family), worker_(worker) {}

  // This worker's shard of the series with `key`, valid until the next call.
  Shard& at(const std::string& key, WallTime now) {
    const std::int64_t now_s =
        std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    auto known = cache_.find(key);
    if (known != cache_.end() && known->second->retired.load(std::memory_order_relaxed)) {
      cache_.erase(known);
      known = cache_.end();
    }
    if (known != cache_.end()) return use(*known->second, now_s);
    // A family that was full is asked again a second later: a flood of new labels must not meet at its lock.
    if (full_at_s_ == now_s) return use(*overflow_, now_s);
    auto found = family_.find(key, now_s);
    if (found.overflow) {
      full_at_s_ = now_s;
      overflow_ = std::move(found.series);
      return use(*overflow_, now_s);
    }
    if (cache_.size() >= family_.series_max()) {
      std::erase_if(cache_,
                    [](const auto& entry) { return entry.second->retired.load(std::memory_order_relaxed); });
    }
    return use(*(cache_[key] = std::move(found.series)), now_s);
  }

 private:
  Shard& use(Series<Shard>& series, std::int64_t now_s) {
    // A look first: the line is shared by the workers, and changes once a second at most.
    if (series.last_used_s.load(std::memory_order_relaxed) != now_s) {
      series.last_used_s.store(now_s, std::memory_order_relaxed);
    }
    return series.shards[worker_];
  }

  SeriesFamily<Shard>& family_;
  const std::size_t worker_;
  std::unordered_map<std::string, std::shared_ptr<Series<Shard>>> cache_;
  std::shared_ptr<Series<Shard>> overflow_;
  std::int64_t full_at_s_ = -1;
};

}  // namespace weft::sidecar
