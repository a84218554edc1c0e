"""Statistics over the cells of a run. Pure: cells in, numbers out.

A cell is one run of one workload through one target in one round: {round, workload, target, figures} or, in
place of figures, `failed` or `not_applicable` with the reason.
"""

import statistics

ADDED = ("p50_us", "p90_us", "p99_us", "p999_us")  # latencies, of which what no proxy takes is subtracted
UNSTEADY = 0.10


def summary(values):
    """Median, extremes, and the spread between them as a share of the median."""
    middle = statistics.median(values)
    low, high = min(values), max(values)
    return {
        "median": middle,
        "min": low,
        "max": high,
        "spread": (high - low) / abs(middle) if middle else None,
        "rounds": len(values),
    }


def by_round(cells, workload, target, figure):
    """{round: value} of the rounds that have it."""
    return {
        cell["round"]: cell["figures"][figure]
        for cell in cells
        if cell["workload"] == workload and cell["target"] == target and figure in cell.get("figures", {})
    }


def with_added(cells):
    """The cells, each latency joined by what it adds to the same round's run without a proxy, as added_p99_us
    and so on.
    """
    without = {
        (c["round"], c["workload"]): c["figures"] for c in cells if c["target"] == "none" and "figures" in c
    }
    out = []
    for cell in cells:
        bare = without.get((cell["round"], cell["workload"]))
        if cell["target"] != "none" and "figures" in cell and bare:
            added = {
                f"added_{name}": cell["figures"][name] - bare[name]
                for name in ADDED
                if name in cell["figures"] and name in bare
            }
            cell = {**cell, "figures": {**cell["figures"], **added}}
        out.append(cell)
    return out


def table(cells):
    """{workload: {target: {figure: summary}}}"""
    values = {}
    for cell in cells:
        row = values.setdefault(cell["workload"], {}).setdefault(cell["target"], {})
        for figure, value in cell.get("figures", {}).items():
            row.setdefault(figure, []).append(value)
    return {
        workload: {
            target: {figure: summary(found) for figure, found in row.items()} for target, row in rows.items()
        }
        for workload, rows in values.items()
    }


def why_absent(cells, workload, target, missing):
    """Why there is no figure: the target could not be had, cannot do this, or failed; the last reason of the
    kind.
    """
    if target in missing:
        return f"{target} is missing: {missing[target]}"
    mine = [cell for cell in cells if cell["workload"] == workload and cell["target"] == target]
    for kind in ("not_applicable", "failed"):
        reasons = [cell[kind] for cell in mine if kind in cell]
        if reasons:
            return reasons[-1] if kind == "not_applicable" else f"{target} failed: {reasons[-1]}"
    return (
        f"{workload} was not run through {target}"
        if not mine
        else f"{target} has no such figure of {workload}"
    )


class Ratio:
    """weft's figure over another's (`over`), or the figure alone; taken round by round, since neighbours in
    time are alike.
    """

    def __init__(self, name, workload, figure, over=None, is_cpu=False, meaning=""):
        self.name, self.workload, self.figure, self.over, self.is_cpu, self.meaning = (
            name,
            workload,
            figure,
            over,
            is_cpu,
            meaning,
        )

    def evaluate(self, cells, missing):
        """(summary, None) or (None, reason)."""
        mine = by_round(cells, self.workload, "weft", self.figure)
        if not mine:
            return None, why_absent(cells, self.workload, "weft", missing)
        if self.over is None:
            return summary(list(mine.values())), None
        theirs = by_round(cells, self.workload, self.over, self.figure)
        pairs = [mine[r] / theirs[r] for r in mine if theirs.get(r, 0) > 0]
        if not pairs:
            if theirs:
                return (
                    None,
                    f"{self.figure} of {self.over} was never above zero, so there is nothing to divide by",
                )
            return None, why_absent(cells, self.workload, self.over, missing)
        return summary(pairs), None


def cheapest(cells, workload, figure, among):
    """The target whose median is least; None if nobody has the figure."""
    medians = {}
    for target in among:
        found = by_round(cells, workload, target, figure)
        if found:
            medians[target] = statistics.median(found.values())
    return min(medians, key=medians.get) if medians else None


def moved(old, new, by=UNSTEADY):
    """[(name, old, new)] of the ratios that both have and that moved by more than `by`."""
    both = [(name, old[name], new[name]) for name in old if old[name] and new.get(name)]
    return [(name, was, now) for name, was, now in both if abs(now / was - 1) > by]
