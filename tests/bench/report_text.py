"""A report as Markdown. Pure: the value of report.analyse in, text out."""

UNITS = {  # figure: heading, digits after the point
    "cpu_us": ("CPU µs / request / proxy", 1),
    "cpu_us_client": ("client side", 1),
    "cpu_us_server": ("server side", 1),
    "rps": ("requests/s", 0),
    "p50_us": ("p50 µs", 0),
    "p90_us": ("p90 µs", 0),
    "p99_us": ("p99 µs", 0),
    "p999_us": ("p99.9 µs", 0),
    "added_p50_us": ("+p50 µs", 0),
    "added_p90_us": ("+p90 µs", 0),
    "added_p99_us": ("+p99 µs", 0),
    "added_p999_us": ("+p99.9 µs", 0),
    "gb_per_s": ("GB/s", 2),
    "cpu_s_per_gb": ("CPU s / GB / proxy", 2),
    "cpu_s_per_gb_client": ("client side", 2),
    "cpu_s_per_gb_server": ("server side", 2),
    "connections_per_s": ("connections/s", 0),
    "per_cpu_s": ("per CPU second", 0),
    "per_cpu_s_client": ("client side", 0),
    "per_cpu_s_server": ("server side", 0),
    "bytes_per_connection": ("bytes / connection / proxy", 0),
    "connections": ("connections", 0),
    "rate": ("asked requests/s", 0),
    "cores": ("cores / proxy", 3),
    "loaded_mib": ("MiB resident", 1),
    "ready_ms": ("ms from exec to ready", 1),
    "rest_mib": ("MiB at rest", 1),
}


def number(value, digits):
    return f"{value:,.{digits}f}"


def shown(value, digits):
    """A summary as `median ±spread`, the spread as half the distance of the extremes in per cent of the
    median.
    """
    text = number(value["median"], digits)
    if value["rounds"] > 1 and value["spread"] is not None:
        text += f" ±{100 * value['spread'] / 2:.0f} %"
    return text


def markdown_table(headings, rows):
    lines = ["| " + " | ".join(headings) + " |", "| " + " | ".join("---" for _ in headings) + " |"]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def workload_section(report, name, reason):
    rows = report["table"].get(name, {})
    columns = [figure for figure in UNITS if any(figure in row for row in rows.values())]
    lines = ["", f"### {name}", "", reason[0].upper() + reason[1:] + ".", ""]
    body = []
    for target, row in rows.items():
        if row:
            body.append(
                [target]
                + [shown(row[figure], UNITS[figure][1]) if figure in row else "" for figure in columns]
            )
        elif target != "none":
            why = [entry[2] for entry in report["not_applicable"] if entry[:2] == [name, target]]
            why += [
                f"failed: {entry['failed']}"
                for entry in report["failed"]
                if (entry["workload"], entry["target"]) == (name, target)
            ]
            body.append([target, why[0] if why else "no figure"] + [""] * (len(columns) - 1))
    return lines + markdown_table(["target"] + [UNITS[figure][0] for figure in columns], body)


def ratio_lines(report):
    rows = []
    for name, value in report["ratios"].items():
        spread = report["ratio_spreads"].get(name)
        rows.append(
            [
                f"`{name}`",
                "null" if value is None else f"{value:,.2f}",
                f"{spread['min']:,.2f} to {spread['max']:,.2f}" if spread else "",
                report["reasons"].get(name) or report["meanings"][name],
            ]
        )
    return markdown_table(["ratio", "median", "rounds from, to", "what it is, or why there is none"], rows)


def once_lines(report):
    rows = []
    for target, entry in report["once"].items():
        cell = lambda name, digits: (
            number(entry[name], digits) if name in entry else entry["reasons"].get(name, "")
        )
        calls = ", ".join(
            f"{name} {count:g}" for name, count in entry.get("by_name", {}).items() if count >= 0.005
        )
        rows.append([target, cell("system_calls", 2), calls, cell("instructions", 0), cell("binary_mib", 1)])
    return markdown_table(
        ["target", "system calls / request / proxy", "which", "instructions / request / proxy", "binary MiB"],
        rows,
    )


def profile_lines(report):
    """Of every load: which libraries, and the functions that take most."""
    lines = []
    for workload, found in report["profiles"].items():
        if "reason" in found:
            lines += ["", f"{workload}: {found['reason']}"]
            continue
        parts = ", ".join(f"{part} {100 * share:.0f} %" for part, share in found["parts"].items())
        rows = [[f"{100 * share:.1f} %", part, f"`{function}`"] for share, part, function in found["functions"]]
        lines += ["", f"{workload}: {parts}.", "", *markdown_table(["share", "of", "function"], rows)]
    return lines[1:] or ["None: weft was not measured."]


def steadiness_lines(report):
    if report["rounds"] < 2:
        return ["One round says nothing about how steady the ratios are."]
    if not report["unsteady"]:
        return ["Every CPU ratio stayed within 10 % between the rounds of this run."]
    names = ", ".join(f"`{name}` ({100 * spread:.0f} %)" for name, spread in report["unsteady"].items())
    return [
        f"CPU ratios whose rounds lay further apart than 10 %: {names}. Their median is less certain: on a "
        "machine with few cores client, server and both proxies share them, and who is scheduled together "
        "changes how much work one wake-up finds."
    ]


def heading_lines(report):
    about = report["about"]
    rounds = f"{report['rounds']} interleaved rounds"
    if report["rounds"] < about["rounds_wanted"]:
        rounds += f" of {about['rounds_wanted']} wanted, for which the time was too short"
    if about["quick"]:
        rounds += " (quick: fewer and shorter than a full report's)"
    prepared = ", ".join(f"{what} {seconds:.0f} s" for what, seconds in about["prepared"])
    return [
        "# weft beside its peers",
        "",
        f"{about['when']}, commit {about['commit']}, {rounds}. Measuring took {about['measuring_s']:.0f} s; "
        f"before it: {prepared}.",
        "",
        "Every cell is a median; ± is half the distance between the extremes of the rounds. Ratios are taken "
        "round by round.",
    ]


def start_lines(report):
    rows = [
        [target, shown(row["ready_ms"], 1), shown(row["rest_mib"], 1)]
        for target, row in report["table"].get("start", {}).items()
    ]
    table = markdown_table(["target", "ms from exec to ready", "MiB at rest"], rows)
    return [*table, "", "Once, apart from the rounds, with 32 connections:", "", *once_lines(report)]


def listed(lines):
    return [f"- {line}" for line in lines] or ["Nothing."]


def failed_lines(report):
    return listed(
        f"round {entry['round'] + 1}, {entry['workload']}, {entry['target']}: {entry['failed']}"
        for entry in report["failed"]
    )


def method_lines(report):
    about = report["about"]
    maxima = ", ".join(f"{name} {rate:,.0f}" for name, rate in report["maxima"].items())
    facts = {
        **about["machine"],
        **about["versions"],
        "most requests/s that fortio gets through": maxima,
        "idle connections": f"{report['idle_connections']:,}",
        "limit of descriptors": f"{report['descriptors']:,}",
    }
    return [
        *listed(f"{key}: {value}" for key, value in facts.items()),
        "",
        "```sh",
        *about["commands"],
        "```",
    ]


def markdown(report):
    sections = {
        "Ratios": [*ratio_lines(report), "", *steadiness_lines(report)],
        "Start, rest and size": start_lines(report),
        "Where weft's CPU time goes": profile_lines(report),
        "Workloads": [],
        "What is missing": listed(f"{name}: {reason}" for name, reason in report["missing"].items()),
        "What failed": failed_lines(report),
        "How it was measured": method_lines(report),
    }
    for workload in report["workloads"]:
        reason = f"{workload['reason']} ({workload['seconds']:g} s a run)"
        sections["Workloads"] += workload_section(report, workload["name"], reason)[1:] + [""]
    lines = heading_lines(report)
    for title, body in sections.items():
        lines += ["", f"## {title}", "", *body]
    return "\n".join(lines).rstrip() + "\n"
