"""Load generators: how each is called, and what its output says. The parsers are pure; `Run` only starts and
waits.
"""

import json
import subprocess

WRK_SCRIPT = """-- wrk: what is sent, and the end as JSON (wrk's own text has no 99.9th percentile).
wrk.method = "{method}"
wrk.body = string.rep("x", {body_bytes})
function done(summary, latency, requests)
  local form = 'JSON {{"requests": %d, "p50_us": %d, "p90_us": %d, "p99_us": %d, "p999_us": %d'
  io.write(string.format(form, summary.requests, latency:percentile(50), latency:percentile(90),
    latency:percentile(99), latency:percentile(99.9)))
  for kind, count in pairs(summary.errors) do
    io.write(string.format(', "%s errors": %d', kind, count))
  end
  io.write("}}\\n")
end
"""


def wrk_script(method, body_bytes):
    return WRK_SCRIPT.format(method=method, body_bytes=body_bytes)


def wrk(address, connections, seconds, script):
    return [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "--timeout",
        "10s",
        "-s",
        script,
        f"http://{address}/",
    ]


def parse_wrk(text):
    """{requests, failed, why, p50_us, …}; wrk counts an answer that is not 2xx or 3xx as failed."""
    line = next((line for line in text.splitlines() if line.startswith("JSON ")), None)
    if line is None:
        raise RuntimeError(f"wrk: {text.strip().splitlines()[-1] if text.strip() else 'said nothing'}")
    said = json.loads(line[len("JSON ") :])
    errors = {name: said.pop(name) for name in list(said) if name.endswith(" errors")}
    why = ", ".join(f"{count} {name}" for name, count in errors.items() if count)
    return {**said, "failed": sum(errors.values()), "why": why}


def fortio_http(fortio, address, connections, seconds, rate):
    """Sends at a fixed rate whatever the answers take, or at rate 0 as fast as it can. -r: histogram steps of
    10 µs, the default's 1 ms would hide the proxies.
    """
    return [
        fortio,
        "load",
        "-quiet",
        "-json",
        "-",
        "-qps",
        f"{rate:.1f}",
        "-c",
        connections,
        "-t",
        f"{seconds}s",
        "-r",
        "0.00001",
        "-p",
        "50,90,99,99.9",
        f"http://{address}/",
    ]


def fortio_grpc(fortio, address, streams, seconds):
    """Unary pings as fast as they are answered, `streams` at a time on one connection."""
    return [
        fortio,
        "load",
        "-quiet",
        "-json",
        "-",
        "-grpc",
        "-ping",
        "-qps",
        "0",
        "-c",
        "1",
        "-s",
        streams,
        "-t",
        f"{seconds}s",
        "-r",
        "0.00001",
        "-p",
        "50,90,99,99.9",
        address,
    ]


def parse_fortio(text):
    """As parse_wrk. Fortio's codes are HTTP's or gRPC's; "SERVING" is gRPC health's."""
    start = text.find("{")
    if start < 0:
        raise RuntimeError(f"fortio: {text.strip().splitlines()[-1] if text.strip() else 'said nothing'}")
    said = json.loads(text[start:])
    histogram = said["DurationHistogram"]
    bad = {code: count for code, count in said["RetCodes"].items() if code not in ("200", "SERVING")}
    percentiles = {entry["Percentile"]: entry["Value"] * 1e6 for entry in histogram.get("Percentiles") or []}
    return {
        "requests": histogram["Count"],
        "failed": sum(bad.values()),
        "why": ", ".join(f"{count} with code {code}" for code, count in bad.items()),
        "p50_us": percentiles.get(50),
        "p90_us": percentiles.get(90),
        "p99_us": percentiles.get(99),
        "p999_us": percentiles.get(99.9),
        "rate": said["ActualQPS"],
    }


def parse_last_json(text):
    """weft-bench-load's and the streaming client's answer: one object on the last line."""
    lines = [line for line in text.splitlines() if line.startswith("{")]
    if not lines:
        raise RuntimeError(f"no figures: {text.strip()[-300:] or 'it said nothing'}")
    return json.loads(lines[-1])


class Run:
    """A load generator while it runs."""

    def __init__(self, command):
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ended(self, limit):
        """Its output. A generator that fails is an error with its last words."""
        try:
            out, err = self.process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"{self.process.args[-1]}: still running after {limit:.0f} s") from None
        if self.process.returncode != 0:
            words = (err.strip() or out.strip()).splitlines()
            last = words[-1] if words else "it said nothing"
            raise RuntimeError(f"load generator ended with {self.process.returncode}: {last}")
        return out

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
