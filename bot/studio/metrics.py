"""Figures in Prometheus' text format (version 0.0.4)."""

from __future__ import annotations

from typing import Any

from bot.timing import percentile

STATES = ("ok", "degraded", "down", "off")


def metrics_text(state: dict[str, Any], turns: list[dict[str, Any]]) -> str:
    """Return the metrics of a state (as ``GET /api/state`` gives it) and of the newest turns."""
    lines: list[str] = []
    counters = state["counters"]
    for name, value in counters.items():
        if isinstance(value, dict):
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
