"""Learn from a lake's quotes, and be judged on time that was held out.

    first ........ learn ........ cut ....... judge, and learn on ....... last

Each product's quotes go through the compiled rules, some rows at a time. What is learned is sums that forget, so it
does not hang on how many rows there are, or how they are cut. Up to the cut one state learns. Behind it a second one
begins with what that has learned, as `run --model` would, and its forecasts are compared with "nothing changes" and
with those of the present champion. That begins where its own learning ends, and learns on up to the cut, as it would
have live; where it has seen beyond the cut, the comparison begins there: whoever has seen a time is not judged on it.
The first state learns on, and what it knows at the end is what is kept.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from ..engine.model import Model
from ..engine.state import COUNT, DEFAULTS, Learned, Parameters, State, learned
from ..errors import ModelError, UsageError
from ..lake.build import by_product
from ..lake.delta import Delta
from ..lake.folding import fold, same_units, times_of
from ..lake.scores import Outcomes
from ..lake.tables import QUOTES
from .folder import Standing
from .tally import Sums, Tally, joined, standing

ALL = "*"
"""Instead of a product: all of them together."""
LAST = "last"
"""Against whom everybody is judged: nothing changes."""
SIGNIFICANT = 0.05
LEAST_HELD_OUT = 120_000_000
"""Microseconds: of a minute of forecasts the truth comes a minute later."""
ROWS = 100_000
"""That are folded at a time."""


class HeldOut(NamedTuple):
    """How much of the time is held out at its end."""

    share: float = 0.2
    seconds: float = 0.0
    """Instead of a share, where it is not 0."""

    def cut(self, first: int, last: int) -> int:
        """Give where it begins. Raises UsageError when nothing is left to learn from."""
        length = round(self.seconds * 1e6) or round((last - first) * self.share)
        if length < LEAST_HELD_OUT:
            raise UsageError(
                f"Of {(last - first) / 1e6:.0f} s, {length / 1e6:.1f} s would be held out: too little to judge by.",
                "Hold out two minutes or more, such as --held-out 20m.",
            )
        if length >= last - first:
            raise UsageError(
                f"The quotes span {(last - first) / 1e6:.0f} s, of which {length / 1e6:.0f} s cannot be held out.",
                "Hold out less: --held-out 0.2",
            )
        return last - length


class Trained(NamedTuple):
    """What came of it."""

    learned: Mapping[str, Learned]
    """At the end, by product."""
    first_time: int
    cut: int
    last_time: int
    rows: int
    held_out_rows: int
    scores: list[Standing]
    """Of each product and of all against "nothing changes"; then of all against the champion, if there is one."""


class Span(NamedTuple):
    """What there is to learn from; times in microseconds."""

    first: int
    last: int
    rows: int


def train(
    lake: str,
    model: Model,
    held_out: HeldOut,
    champion: Model | None = None,
    tell: Callable[[int, int], None] = lambda done, of: None,
    rows: int = ROWS,
) -> Trained:
    """Learn anew from all quotes of a lake, as `model` says how; `tell` hears how many of how many rows are done.

    Raises StorageError when there are no quotes, and UsageError when nothing is left to learn from.
    """
    quotes = Delta(lake, QUOTES)
    end = quotes.landed(QUOTES.name)
    span = _span(quotes, end)
    cut = held_out.cut(span.first, span.last)
    products: dict[str, Training] = {}
    done = 0
    for table in _tables(quotes, end, rows):
        for product_id, found in by_product(table):
            if product_id not in products:
                products[product_id] = Training(product_id, model, cut, champion)
            products[product_id].add(found)
        done += len(table)
        tell(done, span.rows)
    return Trained(
        {product_id: learned(each.state) for product_id, each in sorted(products.items())},
        span.first,
        cut,
        span.last,
        span.rows,
        sum(each.held_out_rows for each in products.values()),
        _scores(products, champion),
    )


def model_to_train(name: str, version: int, forecaster: str, parameters: Parameters = DEFAULTS) -> Model:
    """Give a model that has learned nothing yet. Raises UsageError for `trend`."""
    if forecaster == "trend":
        raise UsageError(
            "trend draws its line anew from each start, so there is nothing to keep of it.", "Train tilt, or last."
        )
    return Model(f"{name}/{version}", forecaster, parameters)


def _tables(quotes: Delta, end: int, rows: int) -> Iterator[pa.Table]:
    for table in quotes.rows(0, end):
        for start in range(0, len(table), rows):
            yield table.slice(start, rows)


def _span(quotes: Delta, end: int) -> Span:
    """Look where the quotes begin and end."""
    first, last, count = 2**62, 0, 0
    for table in _tables(quotes, end, 2**31):
        times = table.column("time").cast(pa.int64()).to_numpy()
        first, last = min(first, int(times.min())), max(last, int(times.max()))
        count += len(table)
    if not count:
        raise ModelError(
            f"The lake in {quotes.lake} has no quote to learn from.",
            f"Collect for some hours, and then: coinbase_insights build {quotes.lake}",
        )
    return Span(first, last, count)


class Training:
    """One product: learns, is judged behind the cut, and learns on."""

    def __init__(self, product_id: str, model: Model, cut: int, champion: Model | None) -> None:
        """Begin with nothing."""
        self._product_id = product_id
        self._model = model
        self._cut = cut
        self._other = None if champion is None else champion.new_state(product_id)
        seen = None if champion is None else champion.learned.get(product_id)
        self._seen_until = 0 if seen is None else seen.until
        self.state = model.new_state(product_id)
        self._judged: State | None = None
        self.tally = Tally()
        """Against "nothing changes"."""
        self.duel = Tally()
        """Against the champion."""
        self.held_out_rows = 0

    def add(self, quotes: pa.Table) -> None:
        """Take the next quotes in, in their order."""
        times = times_of(self.state, quotes)
        begin = int(np.searchsorted(times, self._cut, "right"))
        unseen = int(np.searchsorted(times, self._seen_until, "right"))
        if self._other is not None:
            self._other = _learn(self._other, quotes.slice(unseen, max(0, begin - unseen)))
        self.state = _learn(self.state, quotes.slice(0, begin))
        held_out = quotes.slice(begin)
        if not len(held_out):
            return
        outcomes = self._judge(held_out)
        self._compare(outcomes, quotes.slice(max(begin, unseen)))
        self.state = _learn(self.state, held_out)
        self.held_out_rows += len(held_out)

    def _judge(self, quotes: pa.Table) -> Outcomes:
        if self._judged is None:
            known = {self._product_id: learned(self.state)} if self.state.whole[COUNT] else {}
            self._judged = self._model._replace(learned=known).new_state(self._product_id)
        self._judged, outcomes = _fold(self._judged, quotes)
        self.tally.add(outcomes)
        return outcomes

    def _compare(self, outcomes: Outcomes, quotes: pa.Table) -> None:
        """Let the champion forecast the same quotes, and compare where both have a forecast; who began first has more.

        Both have one at each quote since then, so the last ones are of the same quotes.
        """
        if self._other is None or not len(quotes):
            return
        self._other, others = _fold(self._other, quotes)
        count = min(len(others.errors), len(outcomes.errors))
        ours, theirs = (Outcomes(*(values[len(values) - count :] for values in each)) for each in (outcomes, others))
        self.duel.add(ours._replace(base_errors=theirs.errors))


def _learn(state: State, quotes: pa.Table) -> State:
    return _fold(state, quotes)[0] if len(quotes) else state


def _fold(state: State, quotes: pa.Table) -> tuple[State, Outcomes]:
    _, prices = same_units(state, quotes)
    folded = fold(state, quotes, prices)
    return folded.state, folded.outcomes


def _scores(products: Mapping[str, Training], champion: Model | None) -> list[Standing]:
    sums: dict[str, Sums] = {name: each.tally.sums() for name, each in sorted(products.items())}
    found = [standing(name, LAST, each) for name, each in sums.items()]
    found.append(standing(ALL, LAST, joined(list(sums.values()))))
    if champion is not None:
        found.append(standing(ALL, champion.name, joined([each.duel.sums() for each in products.values()])))
    return found


def verdict(scores: list[Standing]) -> tuple[bool, str]:
    """Say whether a model is the champion, by its comparison with whoever is; and why, in plain words."""
    met: Any = scores[-1]
    other = 'saying "nothing changes"' if met.against == LAST else f"the champion {met.against}"
    if met.skill is None or met.p_value is None:
        return False, f"too little time that neither has seen to compare it with {other}"
    words = "less" if met.skill > 0 else "more"
    text = f"{abs(met.skill):.2%} {words} wrong than {other} on held-out time, p = {met.p_value:.2g}"
    if met.skill == 0.0:
        return False, f"exactly as wrong as {other} on held-out time"
    if met.p_value >= SIGNIFICANT:
        return False, f"{text}: chance alone could do that"
    if met.skill > 0 and any(_is_worse_than_nothing(each) for each in scores):
        return False, f'{text}; but more wrong than saying "nothing changes"'
    return met.skill > 0, text


def _is_worse_than_nothing(found: Standing) -> bool:
    """Whether all forecasts together are worse than "nothing changes", by more than chance."""
    if (found.product_id, found.against) != (ALL, LAST) or found.skill is None or found.p_value is None:
        return False
    return found.skill < 0 and found.p_value < SIGNIFICANT
