"""Tables to read once: columns of text, words to the left and numbers to the right; or one JSON object a row."""

import json
from collections.abc import Sequence

from .safe import safe

Value = str | float | int | None


def table(heads: Sequence[str], rows: Sequence[Sequence[Value]], digits: int = 6) -> str:
    """Write a table under its heads; numbers with so many significant digits, `-` where there is nothing."""
    texts = [[_text(value, digits) for value in row] for row in rows]
    widths = [max(len(row[i]) for row in (list(heads), *texts)) for i in range(len(heads))]
    to_right = [any(isinstance(row[i], int | float) for row in rows) for i in range(len(heads))]
    lines = []
    for row in (list(heads), *texts):
        cells = (
            text.rjust(w) if right else text.ljust(w) for text, w, right in zip(row, widths, to_right, strict=True)
        )
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def json_lines(heads: Sequence[str], rows: Sequence[Sequence[Value]]) -> str:
    """Write one object a row, with the heads for names."""
    return "\n".join(json.dumps(dict(zip(heads, row, strict=True))) for row in rows)


def _text(value: Value, digits: int) -> str:
    if value is None:
        return "-"
    return f"{value:.{digits}g}" if isinstance(value, float) else safe(str(value))
