"""Figures in Prometheus' text format (version 0.0.4)."""

from __future__ import annotations

from typing import Any

from bot.timing import percentile

STATES = ("ok", "degraded", "down", "off")
UNLIKE = {"gap_s": "gap_seconds_total", "since": "since_timestamp_seconds"}
"""Metrics of Twitch whose names are not those of the counters."""


def metrics_text(state: dict[str, Any], turns: list[dict[str, Any]]) -> str:
    """Return the metrics of a state (as ``GET /api/state`` gives it) and of the newest turns."""
    lines: list[str] = []
    counters = state["counters"]
    for name, value in counters.items():
        if name == "twitch":
            lines += _twitch(value)
        elif isinstance(value, dict):
            lines.append(f"# TYPE aneeka_{name}_total counter")
            lines += [f'aneeka_{name}_total{{reason="{reason}"}} {n}' for reason, n in sorted(value.items())]
        else:
            lines += [f"# TYPE aneeka_{name}_total counter", f"aneeka_{name}_total {value}"]
    lines.append("# TYPE aneeka_health gauge")
    for part, health in state["health"].items():
        for known in STATES:
            lines.append(f'aneeka_health{{part="{part}",state="{known}"}} {int(health["state"] == known)}')
    waits = [t["marks_ms"]["first_audible"] / 1000 for t in turns if "first_audible" in t["marks_ms"]]
    if waits:
        lines.append("# TYPE aneeka_first_audible_seconds summary")
        for share in (0.5, 0.95):
            lines.append(f'aneeka_first_audible_seconds{{quantile="{share}"}} {percentile(waits, share):.4f}')
        lines.append(f"aneeka_first_audible_seconds_sum {sum(waits):.4f}")
        lines.append(f"aneeka_first_audible_seconds_count {len(waits)}")
    return "\n".join(lines) + "\n"


def _twitch(counters: dict[str, dict[str, float]]) -> list[str]:
    """Return what the connections to Twitch have counted, by their health parts."""
    names = dict.fromkeys(name for counted in counters.values() for name in counted)
    lines = []
    for name, metric in ((name, UNLIKE.get(name, f"{name}_total")) for name in names):
        lines.append(f"# TYPE aneeka_twitch_{metric} {'counter' if metric.endswith('_total') else 'gauge'}")
        lines += [f'aneeka_twitch_{metric}{{part="{part}"}} {n[name]}' for part, n in counters.items()]
    return lines
