"""Runs a command in network, mount and process namespaces of its own, which die with this process however it
ends.
"""

import os
import signal
import subprocess


def isolated(command):
    """Waits for `command` as the first process of fresh namespaces; its exit code.

    Two parent-death signals make a chain: this process → unshare → the command. With the command, the init of
    its process namespace, the kernel ends everything that runs there, and with the last process the
    namespaces go.
    """
    child = subprocess.Popen(
        [
            "setpriv",
            "--pdeathsig",
            "KILL",
            "--",
            "unshare",
            "--mount",
            "--net",
            "--pid",
            "--fork",
            "--kill-child=KILL",
            "--mount-proc",
            "--propagation",
            "private",
            "--",
            *map(str, command),
        ]
    )

    ended_by = []

    def end(number, _):
        ended_by.append(number)
        os.kill(
            child.pid, signal.SIGKILL
        )  # and the wait below returns; waiting in here as well would never end

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    status = child.wait()
    return 128 + ended_by[0] if ended_by else status
