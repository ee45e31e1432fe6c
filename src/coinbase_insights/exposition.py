"""Counts as Prometheus reads them (prometheus.io/docs/instrumenting/exposition_formats)."""

from collections.abc import Iterable

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Row = tuple[str, str, str, float]
"""A name without our own, `counter` or `gauge`, what it means, and its value."""


def exposition(rows: Iterable[Row]) -> str:
    """Write the rows."""
    lines = []
    for name, kind, meaning, value in rows:
        full = f"coinbase_insights_{name}"
        lines += [f"# HELP {full} {meaning}", f"# TYPE {full} {kind}", f"{full} {value}"]
    return "\n".join(lines) + "\n"
