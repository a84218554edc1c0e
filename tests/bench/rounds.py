"""The measuring itself, inside its own namespaces: interleaved rounds over all workloads and targets, then
what is measured once.

Called by main.py as `rounds.py CONFIG`; leaves raw.json in the out folder, written anew after every round.
"""

import json
import pathlib
import signal
import sys
import time

import hot_spots
import once
from peers import PEERS, Floor, Nothing
from weft_pair import Weft
from workloads import WORKLOADS
from world import Unavailable, World

TARGETS = (Weft, *PEERS, Floor, Nothing)
AFTERWARDS = 45  # seconds for what is measured once, after the rounds, and for writing the report


def say(text):
    print(text, flush=True)


def rotated(items, by):
    """So that nobody always comes after the same neighbour."""
    by %= max(len(items), 1)
    return items[by:] + items[:by]


class Rounds:
    def __init__(self, world, config, begun):
        self.world = world
        self.config = config
        self.quick = config["quick"]
        self.workloads = [
            w
            for w in WORKLOADS
            if (w.quick_seconds if self.quick else w.seconds)
            and (not config["workloads"] or w.name in config["workloads"])
        ]
        self.deadline = begun + config["seconds"] - AFTERWARDS
        self.rounds = 0
        self.cells = []
        self.once = {}
        self.profiles = {}

    def run(self):
        self.world.calibrate()
        for number in range(self.config["rounds"]):
            begun = time.monotonic()
            if number > 0:
                for target in self.world.running.values():
                    self.revive(target)
            for workload in self.workloads:
                if workload.once and number > 0:
                    continue
                for target in rotated(list(self.world.running.values()), number):
                    self.cell(number, workload, target)
            self.rounds += 1
            self.write()
            took = time.monotonic() - begun
            say(f"round {self.rounds} of {self.config['rounds']} took {took:.0f} s")
            if self.rounds < self.config["rounds"] and time.monotonic() + took > self.deadline:
                say("no time is left for another round")
                break
        for target in self.world.running.values():
            if target.name != "none":
                self.once[target.name] = once.figures(self.world, target)
        self.write()
        if "weft" in self.world.running:
            self.profiles = hot_spots.profiles(self.world, self.world.running["weft"])
        self.write()

    def revive(self, target):
        try:
            self.world.restart(target)
        except (OSError, RuntimeError) as error:
            say(f"{target.name} does not start again: {error}")

    def cell(self, number, workload, target):
        """One run of one workload through one target: a cell, or one for each of its steps. What goes wrong is its
        result, with the reason.
        """
        cell = {"round": number, "workload": workload.name, "target": target.name}
        begun = time.monotonic()
        if workload.service not in target.can and target.variant_of:
            return
        if workload.service not in target.can:
            cell["not_applicable"] = target.why_not[workload.service]
        else:
            try:
                if workload.fresh:
                    self.world.restart(target)
                target.enter()
                measured = workload.measure(
                    self.world, target, workload, workload.quick_seconds if self.quick else workload.seconds
                )
                if workload.once:
                    self.cells += [cell | {"round": step, "figures": f} for step, f in enumerate(measured)]
                    return
                cell["figures"] = measured
            except Unavailable as reason:
                cell["not_applicable"] = str(reason)
            except (OSError, ValueError, KeyError, RuntimeError, ZeroDivisionError) as error:
                cell["failed"] = "; ".join(
                    filter(
                        None,
                        (
                            (
                                f"{type(error).__name__}: {error}"
                                if not isinstance(error, RuntimeError)
                                else str(error)
                            ),
                            target.dead(),
                        ),
                    )
                )
                say(f"FAILED {workload.name} {target.name}: {cell['failed']}")
                self.revive(target)
        cell["took_s"] = round(time.monotonic() - begun, 3)
        self.cells.append(cell)

    def write(self):
        raw = {
            "rounds": self.rounds,
            "cells": self.cells,
            "starts": self.world.starts,
            "once": self.once,
            "profiles": self.profiles,
            "missing": self.world.missing,
            "maxima": self.world.maxima,
            "idle_connections": self.world.idle_connections,
            "descriptors": self.world.descriptors,
            "workloads": [
                {"name": w.name, "reason": w.reason, "seconds": w.quick_seconds if self.quick else w.seconds}
                for w in self.workloads
            ],
        }
        (pathlib.Path(self.config["out"]) / "raw.json").write_text(json.dumps(raw, indent=1))


def main():
    # The first process of a namespace has no default handlers: without these a SIGTERM would not reach it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(1))
    begun = time.monotonic()
    config = json.loads(pathlib.Path(sys.argv[1]).read_text())
    with World(config) as world:
        for index, kind in enumerate(TARGETS):
            if not config["targets"] or kind.name in config["targets"]:
                world.make_target(kind, index)
        for name, reason in world.missing.items():
            say(f"missing: {name}: {reason}")
        say(f"measuring {', '.join(world.running)}")
        Rounds(world, config, begun).run()


if __name__ == "__main__":
    main()
