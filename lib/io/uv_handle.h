// Private to lib/io. A libuv handle's memory belongs to the loop until its close callback: the destructor
// here closes, the close callback frees. No callback of the handle runs after that, but those of requests in
// flight, which therefore own what they need.
#pragma once

#include <memory>

#include <uv.h>

#include "base/check.h"

namespace weft::io {

template <class T>
class UvHandle {
 public:
  UvHandle() = default;
  ~UvHandle() { close(); }
  UvHandle(UvHandle&& other) noexcept : handle_(other.handle_) { other.handle_ = nullptr; }
  UvHandle& operator=(UvHandle&& other) noexcept {
    if (this != &other) {
      close();
      handle_ = other.handle_;
      other.handle_ = nullptr;
    }
    return *this;
  }

  // `init` is a uv_…_init call on the new handle; its result, and no handle when it is negative.
  template <class Init>
  int open(void* owner, Init init) {
    close();
    auto handle = std::make_unique<T>();
    const int result = init(handle.get());
    if (result < 0) return result;
    handle->data = owner;
    handle_ = handle.release();
    return result;
  }
  // For those whose initialisation cannot fail.
  template <class Init>
  void open_checked(void* owner, Init init) {
    WEFT_CHECK(open(owner, init) >= 0);
  }
  void close() {
    if (!handle_) return;
    handle_->data = nullptr;
    uv_close(base(), [](uv_handle_t* handle) { delete reinterpret_cast<T*>(handle); });
    handle_ = nullptr;
  }
  void set_owner(void* owner) { handle_->data = owner; }
  T* get() const { return handle_; }
  uv_handle_t* base() const { return reinterpret_cast<uv_handle_t*>(handle_); }
  explicit operator bool() const { return handle_ != nullptr; }

 private:
  T* handle_ = nullptr;
};

}  // namespace weft::io
