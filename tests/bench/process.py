"""A process of the bench: started in a pod with its output in a log, stopped by the bench alone."""

import os
import pathlib
import socket
import subprocess
import time


class Started:
    def __init__(self, name, command, logs, environment=None, stdin=None):
        self.name = name
        self.log_path = pathlib.Path(logs) / f"{name}.log"
        self.started = time.monotonic()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                stdin=stdin or subprocess.DEVNULL,
                cwd="/",
                env={"PATH": os.environ["PATH"], **(environment or {})},
                start_new_session=True,
            )

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process.poll() is None

    def pids(self):
        """The process that does the work first, then the others (nginx: worker, master)."""
        children = pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [int(child) for child in children] + [self.pid]

    def log_tail(self, lines=5):
        return " | ".join(self.log_path.read_text(errors="replace").strip().splitlines()[-lines:])

    def stop(self):
        if self.alive():
            self.process.terminate()
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()


def wait_until(condition, what, process=None, limit=20.0, step=0.001):
    """Seconds it took; an error that names what did not happen, with the end of the process' log."""
    begun = time.monotonic()
    while time.monotonic() - begun < limit:
        if condition():
            return time.monotonic() - begun
        if process and not process.alive():
            break
        time.sleep(step)
    if process and not process.alive():
        raise RuntimeError(f"{process.name} ended with {process.process.returncode}: {process.log_tail()}")
    raise RuntimeError(f"{what}: not within {limit:.0f} s" + (f": {process.log_tail()}" if process else ""))


def listens(pid, port):
    """Whether a TCP socket of this process' network listens on the port, seen without connecting."""
    wanted = f":{port:04X}"
    for table in ("tcp", "tcp6"):
        try:
            lines = pathlib.Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
        except OSError:
            continue
        if any(fields[1].endswith(wanted) and fields[3] == "0A" for fields in map(str.split, lines)):
            return True
    return False


def http_get(address, port, path, timeout=2.0):
    """Status code and body, or (None, b"") while nobody answers. In the caller's own network."""
    try:
        with socket.create_connection((address, port), timeout=timeout) as connection:
            connection.sendall(
                f"GET {path} HTTP/1.1\r\nHost: {address}:{port}\r\nConnection: close\r\n\r\n".encode()
            )
            data = b""
            while chunk := connection.recv(65536):
                data += chunk
    except OSError:
        return None, b""
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), body
