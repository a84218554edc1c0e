"""The direction of the layers, over the #include lines (docs/architecture.md)."""
import re

# What each folder may include besides itself. Order of layers: base <- codec, io <- policy, tls <- http <- kube <- components.
ALLOWED = {
    "base": set(),
    "codec": {"base"},
    "io": {"base"},
    "policy": {"base", "codec", "io"},
    "tls": {"base", "codec", "io"},
    "http": {"base", "codec", "io", "policy", "tls"},
    "kube": {"base", "codec", "io", "policy", "tls", "http"},
}
LIBRARY = set(ALLOWED)
COMPONENTS = {"sidecar", "ca", "injector", "discovery"}
for component in COMPONENTS:
    ALLOWED[component] = LIBRARY
# The command line may use the components' pure parts.
ALLOWED["cli"] = LIBRARY | {"injector", "discovery"}
ALLOWED["examples"] = LIBRARY
CLI_MAY_USE = {"injector/pod_patch.h", "injector/eligibility.h", "injector/admission_review.h", "injector/json_patch.h",
               "discovery/translate.h", "discovery/index.h", "discovery/policy_objects.h", "discovery/state.h",
               "discovery/wrong_view.h"}

# A third-party library has one door.
DOORS = {
    r"openssl/": ("lib/tls/",),
    r"uv\.h": ("lib/io/",),
    r"ares": ("lib/io/",),
    r"nghttp2/": ("lib/codec/http2_callbacks.h",),
    r"llhttp": ("lib/codec/http1",),
    r"spdlog/": ("lib/base/log.cc",),
    r"yaml-cpp/": ("lib/kube/",),
    # TLS that verifies nobody: for probes alone.
    r"tls/unverified_probe\.h": ("lib/tls/", "lib/http/health_probe.cc"),
}
HEAVY_IN_HEADERS = re.compile(r"^(spdlog/|nlohmann/(?!json_fwd)|google/protobuf|.*\.pb\.h|uv\.h|CLI/)")
# Headers that only their own folder includes: they may show what they are made of.
INTERNAL_HEADERS = ("lib/io/uv_", "injector/json_access.h")
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.MULTILINE)


def room(path):
    """The layer a source file or an include belongs to, or None for what is not ours."""
    parts = path.split("/")
    if parts[0] == "lib":
        parts = parts[1:]
    return parts[0] if len(parts) > 1 and parts[0] in ALLOWED else None


def product(sources):
    return {path: text for path, text in sources.items() if not path.startswith("tests/")}


def test_includes_point_down_only(sources):
    wrong = []
    for path, text in product(sources).items():
        here = room(path)
        for kind, included in INCLUDE.findall(text):
            there = room(included) if kind == '"' else None
            if here is None or there is None or there == here:
                continue
            allowed = there in ALLOWED[here]
            if here == "cli" and there in COMPONENTS:
                allowed = included in CLI_MAY_USE
            if not allowed:
                wrong.append(f"{path} includes {included}")
    assert not wrong, "\n".join(wrong)


def test_each_library_has_one_door(sources):
    wrong = []
    for path, text in product(sources).items():
        for _, included in INCLUDE.findall(text):
            for library, doors in DOORS.items():
                if re.match(library, included) and not path.startswith(doors):
                    wrong.append(f"{path} includes {included}; only {', '.join(doors)} may")
    assert not wrong, "\n".join(wrong)


def test_headers_stay_light(sources):
    wrong = [f"{path} includes {included}" for path, text in product(sources).items() if path.endswith(".h")
             for _, included in INCLUDE.findall(text) if HEAVY_IN_HEADERS.match(included)
             and not path.startswith(INTERNAL_HEADERS)]
    assert not wrong, "\n".join(wrong)


def test_the_rules_catch_a_wrong_include():
    bad = {"lib/base/x.h": '#include "io/loop.h"\n', "ca/x.cc": '#include "sidecar/x.h"\n'}
    for path, text in bad.items():
        try:
            test_includes_point_down_only({path: text})
        except AssertionError:
            continue
        raise AssertionError(f"not caught: {path}")
