"""A figure that was measured, beside its goal and beside what a peer needs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

HEADS = ("what", "measured", "goal", "peer")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    what: str
    measured: str
    goal: str = ""
    peer: str = ""
    is_reached: bool | None = None
    """None where nothing was promised."""

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """What stands in the four columns."""
        word = "" if self.is_reached is None else " (reached)" if self.is_reached else " (MISSED)"
        return self.what, self.measured, self.goal + word, self.peer


def at_most(what: str, value: float, most: float, unit: str, peer: str = "") -> Row:
    """Give the row of a figure that must not be above `most`."""
    return Row(what, f"{value:.3g} {unit}", f"<= {most:g} {unit}", peer, value <= most)


def best(measure: Callable[[], float], times: int = 3) -> float:
    """Measure several times and give the least: what other programs do meanwhile only ever adds."""
    return min(measure() for _ in range(times))


def text_table(rows: Sequence[Row]) -> str:
    """Lay the rows out for a terminal."""
    cells = [HEADS, *(row.cells for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def markdown_table(rows: Sequence[Row]) -> str:
    """Lay the rows out for a page."""
    lines = [HEADS, ("---",) * 4, *(row.cells for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
