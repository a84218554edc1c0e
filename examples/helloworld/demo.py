"""What the demo shows, one point after the other; `run` has built everything before."""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ["WEFT_BUILD"])
WEFT = BUILD / "cli" / "weft"
# A name of its own each time, so that two demos do not meet; the one that stays has one that can be remembered.
MESH = "helloworld" if "--keep" in sys.argv[1:] else f"helloworld-{os.getpid()}"
IMAGES = {"http-echo": BUILD / "examples" / "helloworld" / "http-echo", "shell": "/usr/bin/sleep infinity"}
TERMINAL = sys.stdout.isatty()


def paint(code, text):
    return f"\033[{code}m{text}\033[0m" if TERMINAL else text


class Failed(Exception):
    """A point did not hold; the text says what came instead."""


def need(condition, otherwise):
    if not condition:
        raise Failed(otherwise)


def weft(verb, *arguments, timeout=60):
    """A verb of weft local, as it is."""
    return subprocess.run([str(WEFT), "local", verb, "--name", MESH, *map(str, arguments)], capture_output=True, text=True,
                          errors="replace", timeout=timeout)


def say(text):
    print(f"    {text}", flush=True)


def shown(verb, *arguments, timeout=60, answer=True):
    """A verb of weft local, with what was done and what came back."""
    words = [f"'{word}'" if re.search(r"[\s;&?*\[]", str(word)) else str(word) for word in arguments]
    print("  " + paint(36, f"$ weft local {verb} --name {MESH} {' '.join(words)}"), flush=True)
    done = weft(verb, *arguments, timeout=timeout)
    for line in (done.stdout + done.stderr).strip().splitlines() if answer else []:
        say(line)
    return done


def curl(pod, url, *options, name_space="default"):
    """One request from inside a pod: (status, x-weft-error or None, body)."""
    where = [] if name_space == "default" else ["-n", name_space]
    done = shown("exec", *where, pod, "--", "curl", "-s", "-i", "-m", 10, *options, url, answer=False)
    head, _, body = done.stdout.replace("\r\n", "\n").partition("\n\n")
    lines = head.splitlines() or [""]
    status = lines[0].split(" ")[1] if lines[0].startswith("HTTP/") else "none"
    error = next((line.split(":", 1)[1].strip() for line in lines if line.lower().startswith("x-weft-error:")), None)
    say(f"{status}{f' ({error})' if error else ''}: {body.strip() or done.stderr.strip() or 'no answer'}")
    return status, error, body.strip()


def pods():
    done = weft("status", "-o", "json")
    return json.loads(done.stdout) if done.returncode == 0 else []


def pod_of(deployment):
    return next(pod["name"] for pod in pods() if pod.get("deployment") == deployment and pod["ready"])


def access_log(pod):
    log = weft("logs", pod, "-c", "weft-sidecar").stdout
    return [json.loads(line) for line in log.splitlines() if line.startswith('{"time"')]


def until(find, seconds=5.0):
    """What `find` gives, as soon as that is something: logs are written a moment later."""
    deadline = time.monotonic() + seconds
    while True:
        found = find()
        if found or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


class Demo:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="weft-demo-"))
        self.log = self.folder / "up.log"
        self.capture = self.folder / "wire.pcap"
        self.up = None

    # ---- the mesh itself ----

    def start(self):
        command = [str(WEFT), "local", "up", "--name", MESH, "-f", str(HERE / "manifests")]
        for image, run in IMAGES.items():
            command += ["--image", f"{image}={run}"]
        began = time.monotonic()
        with open(self.log, "wb") as log:
            self.up = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        frame = 0
        while True:
            listed = pods()
            ready = sum(pod["ready"] for pod in listed)
            if listed and ready == len(listed):
                break
            if self.up.poll() is not None or time.monotonic() - began > 40:
                print(self.log.read_text(errors="replace"))
                print(weft("status").stdout)
                sys.exit("the mesh did not come up")
            if TERMINAL:
                frame += 1
                print(f"\r{'|/-' [frame % 3]} starting pods: {ready} of {len(listed)} ready ", end="", flush=True)
            time.sleep(0.05)
        print(f"{chr(13) if TERMINAL else ''}ok: {len(listed)} pods of the mesh \"{MESH}\" are ready after "
              f"{time.monotonic() - began:.1f} s")

    def stop(self):
        if self.up and self.up.poll() is None:
            weft("down")
            try:
                self.up.wait(10)
            except subprocess.TimeoutExpired:
                self.up.kill()
                self.up.wait()
        for file in self.folder.iterdir():
            file.unlink()
        self.folder.rmdir()

    def start_capture(self):
        """Everything that pods send, but for the kubelet's plaintext probes. Before the first request, for the handshakes."""
        self.sniffer = subprocess.Popen(
            [str(WEFT), "local", "exec", "--name", MESH, "--node", "--", "tcpdump", "-i", "any", "-Q", "in", "-U", "--immediate-mode",
             "-Z", "root", "-s", "4096", "-B", "16384", "-w", str(self.capture), "tcp and not port 15021 and not port 15014"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in self.sniffer.stderr:
            if "listening on" in line:
                break

    def stop_capture(self):
        time.sleep(0.3)
        self.sniffer.terminate()
        self.sniffer.wait(10)

    # ---- the points ----

    def chain(self):
        """(a) One request goes through the chain hello -> world -> world-2; no application knows of the mesh"""
        self.start_capture()
        status, _, body = curl("client", "http://hello/")
        self.stop_capture()
        need(status == "200" and body == "hello world !!!", f"expected 'hello world !!!', got {status} {body!r}")

    def wire(self):
        """(b) The wire carried TLS 1.3 and nothing readable, between the two service accounts"""
        fields = ["tshark", "-r", str(self.capture), "-d", "tcp.port==8080,tls", "-Y", "tls.handshake.type == 2 && tcp.port == 8080",
                  "-T", "fields", "-e", "ip.src", "-e", "ip.dst", "-e", "tls.handshake.extensions.supported_version"]
        print("  " + paint(36, "$ " + " ".join(fields[:1] + ["-r", "wire.pcap", "-Y", "tls.handshake.type==2", "…"])))
        found = subprocess.run(fields, capture_output=True, text=True).stdout.strip().splitlines()
        hellos = sorted(set(line for line in found if line.strip()))
        for line in hellos:
            source, target, version = (line.split("\t") + ["", ""])[:3]
            say(f"ServerHello {source} -> {target}: supported_version {version}")
        need(len(hellos) >= 3, f"expected the three handshakes of the chain, saw {len(hellos)}")
        need(all(line.endswith("0x0304") for line in hellos), "a handshake is not TLS 1.3 (0x0304)")
        bytes_seen = self.capture.read_bytes()
        readable = [word for word in (b"hello world", b"GET / HTTP", b"HTTP/1.1 200", b"spiffe://") if word in bytes_seen]
        say(f"{len(bytes_seen)} bytes captured; readable of 'hello world', 'GET / HTTP', 'HTTP/1.1 200', 'spiffe://': {readable or 'nothing'}")
        need(not readable, f"the capture shows {readable}")
        self.both_identities("hello", "world")

    def both_identities(self, source, target):
        ids = {name: f"spiffe://cluster.local/ns/default/sa/{name}" for name in (source, target)}
        for deployment, direction in ((source, "outbound"), (target, "inbound")):
            def find(deployment=deployment, direction=direction):
                for pod in [p["name"] for p in pods() if p.get("deployment") == deployment]:
                    for line in access_log(pod):
                        if line["direction"] == direction and line.get("source_identity") == ids[source] \
                                and line.get("destination_identity") == ids[target]:
                            return line
                return None
            line = until(find)
            need(line, f"no {direction} line of the access log of {deployment} has both SPIFFE ids")
            say(f"{deployment}, {direction}: {line['source_identity']} -> {line['destination_identity']}, mutual_tls={line['mutual_tls']}")

    def canary(self):
        """(c) A canary by annotation, and a change of it while requests are being made"""
        for share in (10, 50):
            shown("annotate", "service/hello", f"weft.mesh/canary=v1={100 - share},v2={share}")
            time.sleep(1)
            done = weft("exec", "client", "--", "curl", "-s", "-Z", "--parallel-immediate", "--parallel-max", 8, "http://hello/?[1-1000]")
            counts = {text: done.stdout.count(text) for text in ("hello world !!!", "hello-v2 !!!")}
            say("1000 requests were answered by")
            for text, count in counts.items():
                say(f"  {text:<16} {'#' * round(count / 20):<50} {count}")
            others = done.stdout
            for text in counts:
                others = others.replace(text, "")
            need(sum(counts.values()) == 1000, f"{1000 - sum(counts.values())} of 1000 requests had another answer: {others[:500]!r}")
            tolerance = 40 if share == 10 else 65  # four standard deviations
            need(abs(counts["hello-v2 !!!"] - share * 10) <= tolerance, f"expected about {share * 10} of v2")
        weft("annotate", "service/hello", "weft.mesh/canary=v1=100")

    def slow_replica(self):
        """(d) One of three replicas takes 5 s: with a time-out per try and retries no request does"""
        def requests(count):
            done = shown("exec", "client", "--", "curl", "-s", "-Z", "--parallel-immediate", "--parallel-max", 6, "-o", "/dev/null", "-w",
                         "%{http_code} %{time_total}\\n", f"http://v3/?[1-{count}]", answer=False)
            results = [line.split() for line in done.stdout.splitlines() if line]
            say(f"status {sorted(set(code for code, _ in results))}, seconds: {' '.join(f'{float(t):.1f}' for _, t in results)}")
            need(len(results) == count and all(code == "200" for code, _ in results), "not every request was answered with 200")
            return [float(seconds) for _, seconds in results]
        say("without annotations")
        need(any(seconds > 4.5 for seconds in requests(12) + requests(12)), "no request met the slow replica")
        shown("annotate", "service/v3", "weft.mesh/per-try-timeout=2s", "weft.mesh/retry-attempts=2", "weft.mesh/timeout=10s")
        time.sleep(1)
        need(all(seconds < 4.5 for seconds in requests(12) + requests(12)), "a request took as long as the slow replica")
        line = until(lambda: next((line for line in access_log("client") if line.get("service") == "default/v3:80" and
                                   len(line.get("tries", [])) > 1), None))
        need(line, "no line of the client's access log shows more than one try")
        say("one line of the client's access log: " + ", then ".join(
            f"{attempt['endpoint']}: {attempt['reason']}{' (' + attempt['class'] + ')' if 'class' in attempt else ''}"
            for attempt in line["tries"]))

    def rbac(self):
        """(e) Who may call whom is said by service account"""
        for caller, url, wanted in (("hello", "http://world/", "200"), ("world", "http://world-2/", "200"),
                                    ("hello-v2", "http://world-2/", "200"), ("hello", "http://world-2/", "403")):
            status, error, _ = curl(f"deployment/{caller}", url)
            need(status == wanted, f"{caller} calling {url}: expected {wanted}, got {status}")
            need(wanted == "200" or error == "rbac-denied", f"expected x-weft-error: rbac-denied, got {error}")
        status, error, _ = curl("legacy-client", "http://hello.default/", name_space="legacy")
        need(status == "403" and error == "mtls-required", "a caller outside the mesh reached a strict workload")
        status, _, body = curl("client", "http://legacy-server.legacy/")
        need(status == "200" and body == "legacy", "the mesh could not call a server outside of it")

    def renewal(self):
        """(f) A certificate is renewed under load, and no request fails"""
        pod = pod_of("world-2")

        def serial():
            page = weft("exec", pod, "--", "curl", "-s", "http://127.0.0.1:15000/certificates").stdout
            certificates = json.loads(page or "[]")
            return certificates[0]["serial"] if certificates else ""
        before = serial()
        codes, over = [], threading.Event()

        def load():
            # Bursts until told to stop: the load spans the renewal, however long that takes on this machine.
            while not over.is_set():
                codes.extend(weft("exec", "client", "--", "curl", "-s", "-Z", "--parallel-immediate", "--parallel-max", "8", "-o",
                                  "/dev/null", "-w", "%{http_code}\\n", "http://hello/?[1-500]").stdout.split())

        caller = threading.Thread(target=load)
        caller.start()
        try:
            need(until(lambda: len(codes) >= 500, 30), "no request came back")
            done = shown("exec", pod, "-c", "weft-sidecar", "--", "weft-sidecar", "renew")
            need(done.returncode == 0, "renew failed")
            renewed = until(lambda: serial() not in ("", before))
            after = len(codes)
            until(lambda: len(codes) >= after + 1000, 30)
        finally:
            over.set()
            caller.join()
        say(f"serial number before {before}, after {serial()}")
        say(f"{len(codes)} requests meanwhile: " + ", ".join(f"{codes.count(code)} × {code}" for code in sorted(set(codes))))
        need(renewed, "the certificate did not change")
        need(len(codes) >= after + 1000, "the load did not go on with the new certificate")
        need(set(codes) == {"200"}, "a request failed while the certificate was renewed")


def run_points(demo):
    passed = failed = 0
    for point in (demo.chain, demo.wire, demo.canary, demo.slow_replica, demo.rbac, demo.renewal):
        print("\n" + paint(1, point.__doc__), flush=True)
        began = time.monotonic()
        try:
            point()
        except (Failed, subprocess.TimeoutExpired, OSError, ValueError, KeyError, StopIteration) as error:
            failed += 1
            print("  " + paint(31, f"FAILED: {error if str(error) else type(error).__name__}"), flush=True)
        else:
            passed += 1
            print("  " + paint(32, f"ok ({time.monotonic() - began:.1f} s)"), flush=True)
    return passed, failed


def main():
    keep = "--keep" in sys.argv[1:]
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(130))
    if pods():
        sys.exit(f"the mesh \"{MESH}\" of an earlier run is still up; this ends it:\n  {WEFT} local down --name {MESH}")
    demo = Demo()
    failed = 1
    try:
        demo.start()
        passed, failed = run_points(demo)
    except KeyboardInterrupt:
        print()
        keep = False
        sys.exit(130)
    except BaseException:
        keep = False  # what did not even begin is nothing to keep
        raise
    finally:
        if not keep:
            demo.stop()
    if keep:
        print(f"""
The mesh is still up. For example:
  {WEFT} local status --name {MESH}
  {WEFT} local exec --name {MESH} client -- curl -s http://hello/
  {WEFT} local annotate --name {MESH} service/hello weft.mesh/canary=v1=50,v2=50
  {WEFT} local logs --name {MESH} client -c weft-sidecar -f
  {WEFT} local exec --name {MESH} --node -- tcpdump -i any
  {WEFT} local down --name {MESH}
Its own messages are in {demo.log}.""")
    print(f"\n{passed} passed, {failed} failed")
    sys.exit(0 if failed == 0 else 1)


if __name__ == "__main__":
    main()
