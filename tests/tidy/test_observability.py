"""docs/observability.md and the code say the same: reasons, metrics, fields of the access log."""
import re

from conftest import ROOT

DOC = (ROOT / "docs" / "observability.md").read_text()

# Where the sidecar deals with traffic: a hyphenated word in a literal there is a reason, or it is listed here as something else.
TRAFFIC = re.compile(r"sidecar/(connection|destination|exchange|extended_connect|first_word|http_downstream|inbound|inbound_gate|local_reply|outbound|"
                     r"preread|time_limit|tunnel|upstreams|worker|limits?|overload|fault|mirror)\w*\.(cc|h)$")
NO_REASONS = {
    # header fields
    "content-type", "content-length", "grpc-status", "grpc-message", "grpc-timeout", "x-weft-error", "x-weft-rule", "x-weft-attempts", "x-weft-closed-idle",
    "x-weft-came-as",
    "retry-after", "x-request-id",
    "x-forwarded-client-cert", "sec-websocket-key", "sec-websocket-accept",
    # what becomes of a try (§ Access log)
    "connect-failure", "not-sent", "per-try-timeout",
    # what becomes of a mirrored request (§ Metrics)
    "no-endpoint", "no-room", "too-large",
    # ALPN
    "weft-tcp", "weft-h2",
}
# Of the words without a hyphen, these are reasons.
WORD = re.compile(r'"(overload|flood|[a-z0-9]+(?:-[a-z0-9]+)+)(?:: )?"')
METRIC = re.compile(r"\b((?:istio|weft)_[a-z0-9_]*[a-z0-9])\b")
# Series of a histogram, not families.
OF_HISTOGRAMS = re.compile(r"_(bucket|sum|count)$")


def code(text):
    return re.sub(r"//[^\n]*", "", text)


def section(title):
    return DOC[DOC.index(f"\n## {title}\n"):].split("\n## ", 2)[1]


def first_cells(text):
    """The first column of the tables of a section."""
    return [line.split("|")[1] for line in text.splitlines() if line.startswith("|") and not line.startswith("| ---")]


def named(cells):
    return {word for cell in cells for word in re.findall(r"`([^`]+)`", cell)}


def literals(text):
    """String literals; a character literal may hold a quote."""
    return [found for found in re.findall(r"""'(?:[^'\\]|\\.)'|"((?:[^"\\]|\\.)*)\"""", code(text)) if found]


def reasons_of_code(sources):
    return {word for path, text in sources.items() if TRAFFIC.match(path) for word in WORD.findall(code(text))} - NO_REASONS


def test_every_reason_of_the_code_is_explained(sources):
    missing = reasons_of_code(sources) - named(first_cells(section("Reasons")))
    assert not missing, f"docs/observability.md, Reasons, lacks {sorted(missing)} (or they are no reasons: NO_REASONS here)"


def test_every_explained_reason_is_one_of_the_code(sources):
    gone = named(first_cells(section("Reasons"))) - reasons_of_code(sources)
    assert not gone, f"docs/observability.md explains {sorted(gone)}, which the sidecar never says"


def metrics_of_code(sources):
    found = set()
    for path, text in sources.items():
        if path.startswith(("sidecar/", "ca/", "discovery/", "injector/")):
            for literal in literals(text):
                found |= {OF_HISTOGRAMS.sub("", name) for name in METRIC.findall(literal.replace("\\n", " "))}
    return {name for name in found if name.count("_") > 1}


def test_every_metric_of_the_code_is_explained(sources):
    missing = metrics_of_code(sources) - set(METRIC.findall(DOC))
    assert not missing, f"docs/observability.md lacks {sorted(missing)}"


def test_every_explained_metric_is_one_of_the_code(sources):
    gone = {name for name in METRIC.findall(DOC) if name.count("_") > 1} - metrics_of_code(sources)
    assert not gone, f"docs/observability.md explains {sorted(gone)}, which nothing counts"


def test_labels_are_those_of_the_code(sources):
    text = code(sources["sidecar/metrics_text.cc"])
    standard = text[text.index("labels = {"):text.index("};", text.index("labels = {"))]
    in_code = set(re.findall(r'\{"(\w+)",', standard))
    assert in_code == named(first_cells(section("Metrics of a sidecar"))) - set(METRIC.findall(DOC)), in_code


def test_fields_of_the_access_log_are_those_of_the_code(sources):
    text = code(sources["sidecar/access_log.cc"])
    in_code = set(re.findall(r'line\.(?:text|number|flag|milliseconds|open)\("(\w+)"', text)) - {"class"}
    in_docs = named(first_cells(section("Access log")))
    assert in_code == in_docs, f"only in the code: {sorted(in_code - in_docs)}; only in the docs: {sorted(in_docs - in_code)}"


def test_the_rules_catch_what_is_missing():
    sources = {"sidecar/exchange.cc": 'refuse(LocalReply{503, "made-up-reason", {}, {}});',
               "sidecar/metrics_text.cc": 'out.single("weft_made_up_total", 1);'}
    assert reasons_of_code(sources) == {"made-up-reason"}
    assert metrics_of_code(sources) == {"weft_made_up_total"}
