"""The arithmetic of the report: medians, spreads, ratios, what is added over no proxy, and what becomes of
gaps.
"""

import json

import pytest

import figures
import generators
import hot_spots
import main
import measure
import once
import publish
import ratios
import report
import report_text


def cell(workload, target, number=0, **more):
    return {"round": number, "workload": workload, "target": target, **more}


def measured(workload, target, *values, figure="cpu_us"):
    return [cell(workload, target, number, figures={figure: value}) for number, value in enumerate(values)]


def test_a_summary_has_the_median_and_the_distance_of_the_extremes():
    assert figures.summary([30, 10, 20]) == {"median": 20, "min": 10, "max": 30, "spread": 1.0, "rounds": 3}


def test_ratios_are_taken_round_by_round():
    """The machine was twice as slow in the second round: both were, so the ratio is steady."""
    cells = measured("http1_32", "weft", 10, 20, 30) + measured("http1_32", "envoy", 20, 40, 60)
    value, reason = figures.Ratio("r", "http1_32", "cpu_us", "envoy").evaluate(cells, {})
    assert (value["median"], value["spread"], reason) == (0.5, 0.0, None)


def test_a_round_that_failed_on_one_side_is_no_pair():
    cells = measured("http1_32", "weft", 10, 20, 30) + measured("http1_32", "envoy", 20, 40)
    assert figures.Ratio("r", "http1_32", "cpu_us", "envoy").evaluate(cells, {})[0]["rounds"] == 2


@pytest.mark.parametrize(
    "cells, missing, reason",
    [
        ([cell("grpc_100", "weft", not_applicable="no HTTP/2 yet")], {}, "no HTTP/2 yet"),
        (measured("grpc_100", "weft", 1), {"envoy": "403 Forbidden"}, "envoy is missing: 403 Forbidden"),
        (
            measured("grpc_100", "weft", 1) + [cell("grpc_100", "envoy", failed="refused")],
            {},
            "envoy failed: refused",
        ),
        (
            measured("grpc_100", "weft", 1) + measured("grpc_100", "envoy", 0),
            {},
            "cpu_us of envoy was never above zero, so there is nothing to divide by",
        ),
    ],
)
def test_what_cannot_be_divided_is_null_with_the_reason(cells, missing, reason):
    assert figures.Ratio("r", "grpc_100", "cpu_us", "envoy").evaluate(cells, missing) == (None, reason)


def test_latency_is_counted_over_the_same_rounds_run_without_a_proxy():
    cells = measured("open_50", "none", 100, 200, figure="p99_us") + measured(
        "open_50", "weft", 150, 260, figure="p99_us"
    )
    added = figures.by_round(figures.with_added(cells), "open_50", "weft", "added_p99_us")
    assert added == {0: 50, 1: 60}


def test_the_best_other_is_the_cheapest_proxy_and_never_the_floor():
    cells = sum(
        (
            measured("http1_32", target, value)
            for target, value in (
                ("weft", 40),
                ("envoy", 60),
                ("haproxy-h2", 20),
                ("nginx", 25),
                ("floor", 5),
            )
        ),
        [],
    )
    best = next(ratio for ratio in ratios.wanted(cells) if ratio.name == "http1_cpu_vs_best_other")
    assert best.over == "haproxy-h2" and best.evaluate(cells, {})[0]["median"] == 2.0


def test_the_window_counts_the_share_of_requests_by_the_bytes_that_reached_the_application():
    def at(seconds, cpu, received):
        sample = object.__new__(measure.Sample)
        sample.at, sample.client_cpu, sample.server_cpu, sample.link_bytes = seconds, cpu, 2 * cpu, received
        return sample

    window = measure.Window(at(0, 0, 0), at(1, 1, 250), at(2, 2, 750), at(3, 9, 1000))
    assert window.figures(200_000) == {
        "cpu_us": 15.0,
        "cpu_us_client": 10.0,
        "cpu_us_server": 20.0,
        "rps": 100_000.0,
    }


def test_a_window_without_requests_is_an_error_and_no_figure():
    sample = object.__new__(measure.Sample)
    sample.at = sample.client_cpu = sample.server_cpu = sample.link_bytes = 0
    with pytest.raises(RuntimeError, match="nothing reached the application"):
        measure.Window(sample, sample, sample, sample).figures(100)


def test_moved_ratios_are_those_beyond_ten_per_cent_either_way():
    old, new = {"a": 1.0, "b": 1.0, "c": 1.0, "d": None, "e": 1.0}, {
        "a": 1.09,
        "b": 1.2,
        "c": 0.8,
        "d": 1.0,
        "e": None,
    }
    assert figures.moved(old, new) == [("b", 1.0, 1.2), ("c", 1.0, 0.8)]


def test_compare_names_what_moved_and_fails_for_cpu_alone(tmp_path, capsys):
    paths = []
    for name, ratios_of in (
        ("old", {"bulk_cpu_vs_envoy": 1.0, "rest_mib": 8.0}),
        ("new", {"bulk_cpu_vs_envoy": 1.05, "rest_mib": 9.0}),
        ("newer", {"bulk_cpu_vs_envoy": 1.2, "rest_mib": 8.0}),
    ):
        paths.append(tmp_path / name)
        paths[-1].write_text(json.dumps({"ratios": ratios_of, "unsteady": {}}))
    assert main.compare(paths[0], paths[1]) == 0
    assert "rest_mib: 8 -> 9 (+12 %)" in capsys.readouterr().out
    assert main.compare(paths[0], paths[2]) == 1
    assert capsys.readouterr().out.startswith("bulk_cpu_vs_envoy: 1 -> 1.2 (+20 %)")


def test_wrk_and_fortio_are_read():
    wrk = 'Running\nJSON {"requests": 7, "read errors": 2, "timeout errors": 0}\n'
    assert generators.parse_wrk(wrk) == {"requests": 7, "failed": 2, "why": "2 read errors"}
    percentiles = [{"Percentile": 99, "Value": 0.002}]
    histogram = {"Count": 10, "Percentiles": percentiles}
    fortio = json.dumps({"RetCodes": {"200": 9, "503": 1}, "ActualQPS": 5.0, "DurationHistogram": histogram})
    said = generators.parse_fortio("note\n" + fortio)
    assert (said["requests"], said["failed"], said["p99_us"], said["p50_us"]) == (10, 1, 2000.0, None)
    assert said["why"] == "1 with code 503"
    for parse in (generators.parse_wrk, generators.parse_fortio, generators.parse_last_json):
        with pytest.raises(RuntimeError):
            parse("unable to connect to 198.18.0.3:8080 Connection refused")


def test_the_kernels_tables_are_read():
    assert measure.parse_link("Inter-|\n lo: 123 4 0\neth0:77 1\n", "lo") == 123
    assert measure.parse_memory("Rss: 100 kB\nPrivate_Clean: 10 kB\nPrivate_Dirty: 20 kB\n") == (
        102400,
        30720,
    )
    strace = " 60.0  0.1  7  100        read\n 40.0  0.1  7  50    3 epoll_wait\n100.0 0.2 7 150 3 total\n"
    assert once.parse_strace(strace) == {"read": 100, "epoll_wait": 50}
    assert once.parse_perf("123,,instructions:u,1,100\n<not supported>,,instructions:k,0,100\n") == {
        "instructions": 123
    }


PERF_REPORT = """
    30.00%  weft-sidecar  [.] weft::codec::Http1Parser::feed(std::basic_string_view<char, std::char_traits<char> >)
    25.50%  [kernel.kallsyms]  [k] tcp_sendmsg                   -      -
    20.25%  libcrypto.so  [.] 0x00000000001a2b3c
     0.25%  libc.so.6     [.] malloc
"""


def test_a_profile_is_read_with_the_kernel_as_one_part():
    found = hot_spots.parse_perf_report(PERF_REPORT)
    assert found["parts"] == {"weft-sidecar": 0.3, "kernel": 0.255, "libcrypto.so": 0.2025}
    assert found["functions"][:2] == [
        [0.3, "weft-sidecar", "codec::Http1Parser::feed"],
        [0.255, "kernel", "tcp_sendmsg"],
    ]
    with pytest.raises(RuntimeError):
        hot_spots.parse_perf_report("Error: no samples")


def raw():
    cells = []
    for number in range(3):
        for target, cpu, p99 in (
            ("none", None, 100),
            ("weft", 30, 150 + number),
            ("envoy", 60, 300),
            ("floor", 10, 120),
        ):
            values = {"rps": 1000.0, "p99_us": p99} | ({"cpu_us": cpu} if cpu else {})
            cells.append(cell("http1_32", target, number, figures=values))
            cells.append(cell("open_50", target, number, figures=values))
        cells.append(cell("grpc_100", "weft", number, not_applicable="no HTTP/2 yet"))
    cells.append(cell("http1_32", "nginx", 0, failed="nginx-client ended with 1"))
    starts = [
        {"target": target, "ready_ms": 5.0, "rest_mib": mib}
        for target, mib in (("weft", 8.0), ("envoy", 40.0))
        for _ in range(2)
    ]
    once_figures = {
        "weft": {
            "system_calls": 8.5,
            "by_name": {"read": 4.0},
            "binary_mib": 3.0,
            "reasons": {"instructions": "no counters"},
        }
    }
    workloads = [
        {"name": name, "reason": "because", "seconds": 1} for name in ("http1_32", "open_50", "grpc_100")
    ]
    return {
        "rounds": 2,
        "cells": cells,
        "starts": starts,
        "once": once_figures,
        "missing": {"haproxy": "not installed"},
        "workloads": workloads,
        "maxima": {"envoy": 5000.0},
        "profiles": {},
        "idle_connections": 8000,
        "descriptors": 20000,
    }


ABOUT = {
    "when": "now",
    "commit": "abc",
    "quick": False,
    "rounds_wanted": 3,
    "measuring_s": 1.0,
    "prepared": [("build", 2.0)],
    "machine": {"cores": 2},
    "versions": {"envoy": "1.40"},
    "commands": ["tests/bench/run"],
}


def test_a_report_has_every_ratio_as_a_number_or_null_with_a_reason():
    made = report.analyse(raw(), ABOUT)
    assert set(made["ratios"]) == {
        "http1_cpu_vs_envoy",
        "http1_cpu_vs_best_other",
        "http1_cpu_vs_floor",
        "grpc_cpu_vs_envoy",
        "grpc_cpu_vs_haproxy",
        "p99_added_vs_envoy",
        "p99_added_vs_haproxy",
        "bulk_cpu_vs_envoy",
        "bulk_cpu_vs_floor",
        "handshakes_vs_envoy",
        "rest_mib",
        "rest_vs_envoy",
        "idle_connection_vs_envoy",
        "krps_cpu_vs_envoy",
        "krps_cpu_vs_floor",
        "ready_ms",
    }
    for name, value in made["ratios"].items():
        assert (value is None) == (name in made["reasons"]), name
    assert made["ratios"]["http1_cpu_vs_envoy"] == 0.5 and made["ratios"]["http1_cpu_vs_floor"] == 3.0
    assert made["ratios"]["p99_added_vs_envoy"] == 0.255 and made["ratios"]["rest_mib"] == 8.0
    assert made["reasons"]["grpc_cpu_vs_envoy"] == "no HTTP/2 yet"
    assert made["reasons"]["p99_added_vs_haproxy"] == "haproxy is missing: not installed"


def test_the_text_drops_nothing_that_failed_or_is_missing():
    text = report_text.markdown(report.analyse(raw(), ABOUT))
    for part in (
        "nginx-client ended with 1",
        "haproxy: not installed",
        "no HTTP/2 yet",
        "no counters",
        "`http1_cpu_vs_envoy` | 0.50",
        "read 4",
        "| weft | 30.0 ±0 % |",
    ):
        assert part in text, f"{part} is not in\n{text}"


def test_the_text_names_where_the_time_goes():
    profiles = {"http1_32": hot_spots.parse_perf_report(PERF_REPORT), "bulk_1": {"reason": "perf is not there"}}
    text = report_text.markdown(report.analyse({**raw(), "profiles": profiles}, ABOUT))
    assert "weft-sidecar 30 %" in text and "`codec::Http1Parser::feed`" in text and "perf is not there" in text


def test_every_figure_of_the_page_is_made_from_the_committed_report():
    page = publish.PAGE.read_text()
    assert publish.filled(page, *publish.committed()) == page, "write it anew: tests/bench/run --publish OLD"
    assert len(publish.BLOCK.findall(page)) == 7


def test_a_block_of_the_page_is_replaced_and_nothing_else():
    report_ = report.analyse(raw(), ABOUT)
    page = "before\n<!-- made: repeat -->\nold\n<!-- end -->\nafter\n"
    made = publish.filled(page, report_, {"ratios": {"rest_mib": 4.0}})
    assert made.startswith("before\n<!-- made: repeat -->\n| ratio |") and made.endswith("<!-- end -->\nafter\n")
    assert "| `rest_mib` | 4.00 | 8.00 | +100 % |" in made and "old" not in made
