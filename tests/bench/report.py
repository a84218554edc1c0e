"""From raw.json to report.json and report.md. Pure but for the reading and writing at the end of the file."""

import json
import pathlib

import figures
import ratios
import report_text


def start_cells(starts):
    """Every start of a proxy is a cell of the workload `start`, its number the round."""
    seen, cells = {}, []
    for start in starts:
        number = seen[start["target"]] = seen.get(start["target"], -1) + 1
        cells.append(
            {
                "round": number,
                "workload": "start",
                "target": start["target"],
                "figures": {"ready_ms": start["ready_ms"], "rest_mib": start["rest_mib"]},
            }
        )
    return cells


def analyse(raw, about):
    """The whole report as one value."""
    cells = figures.with_added(raw["cells"] + start_cells(raw["starts"]))
    missing = raw["missing"]
    found, spreads, reasons, unsteady = {}, {}, {}, {}
    meanings = {}
    for ratio in ratios.wanted(cells):
        value, reason = ratio.evaluate(cells, missing)
        found[ratio.name] = round(value["median"], 4) if value else None
        meanings[ratio.name] = ratio.meaning
        if reason:
            reasons[ratio.name] = reason
            continue
        spreads[ratio.name] = value
        if ratio.is_cpu and value["spread"] and value["spread"] > figures.UNSTEADY:
            unsteady[ratio.name] = value["spread"]
    failed = [
        {key: cell[key] for key in ("round", "workload", "target", "failed")}
        for cell in cells
        if "failed" in cell
    ]
    skipped = sorted(
        {
            (cell["workload"], cell["target"], cell["not_applicable"])
            for cell in cells
            if "not_applicable" in cell
        }
    )
    return {
        "about": about,
        "rounds": raw["rounds"],
        "maxima": raw["maxima"],
        "ratios": found,
        "reasons": reasons,
        "ratio_spreads": spreads,
        "meanings": meanings,
        "unsteady": unsteady,
        "missing": missing,
        "failed": failed,
        "not_applicable": [list(entry) for entry in skipped],
        "workloads": raw["workloads"],
        "table": figures.table(cells),
        "once": raw["once"],
        "profiles": raw["profiles"],
        "idle_connections": raw["idle_connections"],
        "descriptors": raw["descriptors"],
    }


def write(out, about):
    """raw.json of the folder → report.json and report.md beside it."""
    out = pathlib.Path(out)
    made = analyse(json.loads((out / "raw.json").read_text()), about)
    (out / "report.json").write_text(json.dumps(made, indent=1))
    (out / "report.md").write_text(report_text.markdown(made))
    return made
