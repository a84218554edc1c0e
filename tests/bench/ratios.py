"""The ratios that are quoted, and that issues set as goals. Pure."""

from figures import Ratio, cheapest

OTHERS = ("envoy", "envoy-h2", "haproxy", "haproxy-h2", "nginx")


def of_cpu():
    """The names of the ratios that are about CPU time, which are to repeat."""
    return {ratio.name for ratio in wanted([]) if ratio.is_cpu}


def wanted(cells):
    best = cheapest(cells, "http1_32", "cpu_us", OTHERS)
    return (
        Ratio(
            "http1_cpu_vs_envoy", "http1_32", "cpu_us", "envoy", True, "CPU a small request, 32 connections"
        ),
        Ratio(
            "http1_cpu_vs_best_other",
            "http1_32",
            "cpu_us",
            best or "any other proxy",
            True,
            f"the same, over the cheapest other ({best})",
        ),
        Ratio(
            "http1_cpu_vs_floor",
            "http1_32",
            "cpu_us",
            "floor",
            True,
            "the same, over the cheapest relay there can be",
        ),
        Ratio("grpc_cpu_vs_envoy", "grpc_100", "cpu_us", "envoy", True, "CPU a unary call, 100 streams"),
        Ratio("grpc_cpu_vs_haproxy", "grpc_100", "cpu_us", "haproxy", True, "the same"),
        Ratio(
            "p99_added_vs_envoy",
            "open_50",
            "added_p99_us",
            "envoy",
            False,
            "p99 added over no proxy, at half of the slowest's maximum",
        ),
        Ratio("p99_added_vs_haproxy", "open_50", "added_p99_us", "haproxy", False, "the same"),
        Ratio("bulk_cpu_vs_envoy", "bulk_1", "cpu_s_per_gb", "envoy", True, "CPU a gigabyte, one stream"),
        Ratio("bulk_cpu_vs_floor", "bulk_1", "cpu_s_per_gb", "floor", True, "the same"),
        Ratio(
            "handshakes_vs_envoy",
            "connect_full",
            "per_cpu_s",
            "envoy",
            True,
            "new connections a CPU second: more is better",
        ),
        Ratio("rest_mib", "start", "rest_mib", None, False, "MiB resident at rest"),
        Ratio("rest_vs_envoy", "start", "rest_mib", "envoy", False, "the same, over Envoy's"),
        Ratio(
            "idle_connection_vs_envoy",
            "idle",
            "bytes_per_connection",
            "envoy",
            False,
            "memory of an idle connection",
        ),
        Ratio(
            "krps_cpu_vs_envoy", "krps", "cpu_us", "envoy", True, "CPU a request at 1,000 requests a second"
        ),
        Ratio("krps_cpu_vs_floor", "krps", "cpu_us", "floor", True, "the same"),
        Ratio(
            "ready_ms",
            "start",
            "ready_ms",
            None,
            False,
            "milliseconds from exec to ready, certificate and configuration included",
        ),
    )
