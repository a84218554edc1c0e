// Function: a move-only std::function, so that a callback can own what it needs.
// Anchor: keeps a stored callback from firing into a dead object. It is the LAST member of the object
// (so it dies first), and every callback that escapes is wrapped: `timer.start(1s,
// anchor_.guard([this]{…}))`. Both live on one thread.
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

namespace weft {

template <class Signature>
class Function;

template <class R, class... Args>
class Function<R(Args...)> {
 public:
  Function() = default;
  Function(std::nullptr_t) {}  // NOLINT(google-explicit-constructor)
  template <class F>
    requires(!std::is_same_v<std::decay_t<F>, Function> && std::is_invocable_r_v<R, F&, Args...>)
  Function(F&& f)  // NOLINT(google-explicit-constructor): a lambda is a callback
      : target_(std::make_unique<Holder<std::decay_t<F>>>(std::forward<F>(f))) {}

  // REQUIRES: not empty.
  R operator()(Args... args) const { return target_->call(std::forward<Args>(args)...); }
  explicit operator bool() const { return target_ != nullptr; }

 private:
  struct Base {
    virtual ~Base() = default;
    virtual R call(Args... args) = 0;
  };
  template <class F>
  struct Holder final : Base {
    explicit Holder(F f) : function(std::move(f)) {}
    R call(Args... args) override { return function(std::forward<Args>(args)...); }
    F function;
  };
  std::unique_ptr<Base> target_;
};

class Anchor {
 public:
  Anchor() : alive_(std::make_shared<char>()) {}
  Anchor(const Anchor&) = delete;
  Anchor& operator=(const Anchor&) = delete;

  // A callable that does what `f` does while this anchor lives, and nothing afterwards. `f` returns void.
  template <class F>
  auto guard(F f) const {
    return [alive = std::weak_ptr<char>(alive_), f = std::move(f)](auto&&... args) mutable {
      if (!alive.expired()) f(std::forward<decltype(args)>(args)...);
    };
  }
  // For code that calls out and may be deleted by it: `auto alive = anchor_.watch(); handler.x(); if
  // (!alive()) return;`
  auto watch() const {
    return [alive = std::weak_ptr<char>(alive_)] { return !alive.expired(); };
  }
  // Drops every callback guarded so far, as if the object had died.
  void drop() { alive_ = std::make_shared<char>(); }

 private:
  std::shared_ptr<char> alive_;
};

}  // namespace weft
