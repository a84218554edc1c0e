# Set-up that every entry script shares: packages and builds. Sourced, not run.
#   weft_root               the checkout
#   weft_install_packages [test|bench|conformance]   installs what is missing (Debian 12, as root); quiet and quick when
#                           nothing is
#   weft_build DIR [TARGET…] [-- MESON_OPTION…]   configures once and builds
#   weft_build_conformance_tools   the Go programs that judge weft, at the versions of tests/conformance/go.mod
# Progress: a line when a step begins and one when it is over; with a terminal, a spinner and what the step is at
# meanwhile. Output of a step goes to a log that is shown only when the step fails.

weft_root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"

# What the product is built from, and what the tests and the demo use. docs/dependencies.md says why.
weft_build_packages=(
  g++ meson ninja-build pkg-config ccache mold python3 ca-certificates
  libuv1-dev android-libboringssl-dev libnghttp2-dev libc-ares-dev libprotobuf-dev protobuf-compiler
  libspdlog-dev libgtest-dev libgmock-dev node-llhttp nlohmann-json3-dev libyaml-cpp-dev libcli11-dev
  libexpected-dev iptables iproute2 procps curl tcpdump tshark util-linux)
weft_test_packages=(
  python3-pytest python3-grpcio python3-h11 python3-websockets python3-hypercorn python3-h2 nghttp2-client nghttp2-server openssl jq
  netcat-openbsd clang-16 libclang-rt-16-dev clang-tidy-16 clang-format-16 git)

# The bench's peers and tools, which nobody else needs.
weft_bench_packages=(
  haproxy nginx-light libnginx-mod-stream wrk linux-perf strace valgrind libbenchmark-dev python3-venv openssl git
  python3-grpcio python3-pytest)

# What builds the conformance suite's programs. Always this Go, whatever else the machine has: the modules are pinned
# to versions that it compiles.
weft_conformance_packages=(golang-1.19-go)

_weft_step() {  # _weft_step TITLE COMMAND…
  local title=$1 log status=0 started=$SECONDS
  shift
  log=$(mktemp)
  if [ -t 1 ]; then
    "$@" >"$log" 2>&1 </dev/null &
    local pid=$! frames='|/-\' frame=0 at columns
    columns=$(stty size 2>/dev/null | cut -d ' ' -f 2)
    [ "${columns:-0}" -gt 20 ] || columns=80
    while kill -0 "$pid" 2>/dev/null; do
      # "[12/345] Compiling …" of ninja, "Setting up …" of apt.
      at=$(tail -n 1 "$log" | tr -dc '[:print:]')
      at="${frames:frame++%4:1} ${title:0:60} $((SECONDS - started)) s  $at"
      printf '\r\033[K%s' "${at:0:$((columns - 1))}"
      sleep 0.2
    done
    wait "$pid" || status=$?
    printf '\r\033[K'
  else
    printf '%s ...\n' "$title"
    "$@" >"$log" 2>&1 </dev/null || status=$?
  fi
  if [ "$status" -ne 0 ]; then
    printf 'FAILED: %s (status %d)\n' "$title" "$status" >&2
    tail -n 60 "$log" >&2
    rm -f "$log"
    return "$status"
  fi
  printf 'ok: %s (%d s)\n' "$title" $((SECONDS - started))
  rm -f "$log"
}

_weft_missing() {
  local package
  for package in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf '%s\n' "$package"
  done
}

# Installs without letting packages start their servers: the bench wants nginx' program, not its port 80.
_weft_install_quietly() {
  local policy=/usr/sbin/policy-rc.d status=0
  [ -e "$policy" ] && policy=
  [ -z "$policy" ] || { printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"; }
  apt-get install -q -y --no-install-recommends "$@" || status=$?
  [ -z "$policy" ] || rm -f "$policy"
  return "$status"
}

weft_install_packages() {  # weft_install_packages [test|bench|conformance]
  local wanted=("${weft_build_packages[@]}") missing
  [ "${1:-}" = test ] && wanted+=("${weft_test_packages[@]}")
  [ "${1:-}" = bench ] && wanted+=("${weft_bench_packages[@]}")
  [ "${1:-}" = conformance ] && wanted+=("${weft_conformance_packages[@]}")
  # shellcheck disable=SC2207  # names of packages hold no blanks
  missing=($(_weft_missing "${wanted[@]}"))
  [ "${#missing[@]}" -gt 0 ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    printf 'These Debian packages are missing and only root can install them:\n  apt-get install %s\n' "${missing[*]}" >&2
    return 1
  fi
  export DEBIAN_FRONTEND=noninteractive
  _weft_step "reading the package lists" apt-get update -q &&
    _weft_step "installing ${#missing[@]} packages: ${missing[*]}" _weft_install_quietly "${missing[@]}"
}

weft_build() {
  local dir=$1 targets=() options=()
  shift
  while [ $# -gt 0 ] && [ "$1" != -- ]; do targets+=("$1"); shift; done
  [ $# -gt 0 ] && shift
  options=("$@")
  export CC_LD=${CC_LD:-mold} CXX_LD=${CXX_LD:-mold}
  # A clone in another folder finds the same objects in the compiler cache.
  export CCACHE_NOHASHDIR=1
  local path="$weft_root/$dir"
  if [ ! -f "$path/build.ninja" ]; then
    rm -rf "$path"
    _weft_step "configuring $dir" meson setup "$path" "$weft_root" "${options[@]}" || return
  fi
  _weft_step "building $dir ${targets[*]}" ninja -C "$path" "${targets[@]}"
}

_weft_go_build() (  # _weft_go_build FOLDER PACKAGE…: in the conformance module, into FOLDER/bin
  local folder=$1
  shift
  export GOROOT=/usr/lib/go-1.19 GOPATH="$folder/path" GOCACHE="$folder/cache" GOBIN="$folder/bin" GOFLAGS=-mod=readonly
  unset GOTOOLCHAIN
  cd "$weft_root/tests/conformance" && "$GOROOT/bin/go" install "$@"
)

weft_build_conformance_tools() {
  _weft_step "building the conformance tools" _weft_go_build "$weft_root/build/conformance-tools" \
    github.com/summerwind/h2spec/cmd/h2spec github.com/summerwind/h2spec/cmd/h2specd \
    google.golang.org/grpc/interop/client google.golang.org/grpc/interop/server
}
