"""A backtest as a page: in plain words first, then every number, then pictures. Numbers in, text out."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import PurePath

from ..show.axis import written
from ..show.numbers import counted
from ..show.page import Rows, html_table, legend, page, tiles
from ..show.svg import STYLES, text
from .backtest import HEADS, Judgement
from .pictures import SURE, Drawn, pictures

DAY = 86_400_000_000
MOST_PICTURES = 20
"""Products that have pictures; a page with more would be slow to open."""
OPEN = 3
OPENED = ' open=""'
"""Products whose pictures are seen at once; those of the others open at a click."""
HEADWORDS = {
    "mae": "mean error", "mae_ratio": "error ratio", "rmse_ratio": "RMSE ratio", "p_value": "p",
    "band_coverage": "band held", "band_width_bp": "width, bp",
}  # fmt: skip
HOME_STYLES = {"tilt": 0, "trend": 1, "last": 2}
"""Each forecaster with the default parameters looks the same in every report."""
WORDS = 2
"""The first columns of the table hold words."""
MOST_LINES = 6
Group = tuple[tuple[str, str], list[Judgement]]


def report(judgements: Sequence[Judgement], run_at: int) -> str:
    """Write the page; `run_at` is the time of the run, microseconds since 1970."""
    groups = [(key, list(found)) for key, found in groupby(judgements, lambda each: (each.source, each.product_id))]
    has_sources = len({source for (source, _), _ in groups}) > 1
    scored = sum(max(each.scored for each in found) for _, found in groups)
    body = [
        "<h1>How good would the forecasts have been?</h1>",
        f'<p class="soft">{text(_about(groups, scored))} Judged {written(run_at)} UTC.</p>',
        *_summary(groups, has_sources),
        "<h2>All results</h2>",
        f'<p class="soft">{text(ABOUT_TABLE)}</p>',
        _table(groups, has_sources),
    ]
    return page("Backtest", [*body, *_sections(groups, has_sources)])


ABOUT_TABLE = (
    "Error ratio: the mean absolute error of the forecast of the mid-price 60 seconds ahead, over that of “nothing "
    "changes”. Below 1 is better. p: how often chance alone gives as large a difference (Diebold and Mariano, by "
    "minutes). Band held: the share of prices within the 90 % band."
)


def _about(groups: Sequence[Group], scored: int) -> str:
    names = ", ".join(dict.fromkeys(PurePath(source).name or source for (source, _), _ in groups))
    return f"{counted(scored, 'forecast')} of {counted(len(groups), 'product')}, from {names}."


def _table(groups: Sequence[Group], has_sources: bool) -> str:
    heads = HEADS[1:]
    found = [
        Rows(_title(key, has_sources), [[_cell(head, getattr(each, head)) for head in heads] for each in judgements])
        for key, judgements in groups
    ]
    return html_table([HEADWORDS.get(head, head) for head in heads], found, WORDS)


def _title(key: tuple[str, str], has_sources: bool) -> str:
    """Name a product, and where it was found unless that goes without saying."""
    source, product = key
    path = PurePath(source)
    return f"{product} ({path.name})" if has_sources and path.stem != product else product


def _cell(head: str, value: str | float | int | None) -> str:
    """Write a value as its column needs it."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value or "defaults"
    if head == "p_value":
        return "< 0.001" if value < 0.001 else f"{value:.3f}"
    if head == "band_coverage":
        return f"{100 * value:.1f} %"
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}"


def _summary(groups: Sequence[Group], has_sources: bool) -> Iterator[str]:
    """Say in plain words what came out, the products with most forecasts first."""
    first = sorted(groups, key=lambda group: -max(each.scored for each in group[1]))
    for key, found in first[:MOST_PICTURES]:
        best = headline(found)
        if best is not None:
            yield f'<p class="said">{text(sentence(_title(key, has_sources), found))}</p>'
            if len(groups) <= OPEN:
                yield tiles(_tiles(best, _tried(found)))
    rest = [_title(key, has_sources) for key, found in groups if headline(found) is None]
    if rest:
        names = ", ".join(rest[:MOST_PICTURES]) + (" and others" if len(rest) > MOST_PICTURES else "")
        why = "less than 60 s are recorded, or the line was down when they would have been over"
        yield f"<p>{text(f'No forecast of {names} came due: {why}.')}</p>"
    more = len(groups) - len(rest) - MOST_PICTURES
    if more > 0:
        yield f"<p>{text(f'And {more} more products, in the table below.')}</p>"


def headline(found: Sequence[Judgement]) -> Judgement | None:
    """Choose whom the summary is about: the best `tilt`, else the best of any; None when nothing was scored."""
    known = [each for each in found if each.mae is not None]
    for names in (("tilt",), ("trend",), ("last",)):
        of_name = [each for each in known if each.forecaster in names]
        if of_name:
            return min(of_name, key=lambda each: each.mae or 0.0)
    return None


def _tried(found: Sequence[Judgement]) -> int:
    best = headline(found)
    return sum(each.forecaster == best.forecaster for each in found) if best is not None else 0


def sentence(product: str, found: Sequence[Judgement]) -> str:
    """Say how good the forecasts of a product were, and whether that is more than chance."""
    best = headline(found)
    if best is None or best.mae_ratio is None:
        return f"The price of {product} did not move, and who says “nothing changes” was right: this tells no skill."
    name, tried = _name(best), _tried(found)
    said = f"On {counted(best.scored, 'forecast')} of {product} over {_span(best)}, "
    if best.forecaster == "last":
        said += "only “nothing changes” was judged. "
    else:
        said += f"{name} was {_compared(best.mae_ratio)}; {_chance(best, tried)} "
    if tried > 1:
        said += (
            f"It is the best of {tried} sets of parameters, chosen on these very data: expect less of it on others. "
        )
    if best.band_coverage is not None:
        said += f"Its 90 % band held {100 * best.band_coverage:.1f} % of the time"
        said += f" and was {best.band_width_bp:.1f} basis points wide. " if best.band_width_bp is not None else ". "
    trend = next((each for each in found if each.forecaster == "trend"), None)
    if trend is not None and trend is not best and trend.mae_ratio is not None:
        said += f"And trend was {_compared(trend.mae_ratio)}."
    return said.strip()


def _span(judgement: Judgement) -> str:
    """Say how long the history is."""
    days = (judgement.last_time - judgement.first_time) / DAY
    if days >= 1:
        return f"{days:.0f} days" if days >= 10 else f"{days:.1f} days"
    return f"{days * 24:.1f} hours" if days * 24 >= 2 else f"{days * 24 * 60:.0f} minutes"


def _compared(ratio: float) -> str:
    """Say a ratio of errors in words."""
    if ratio >= 1.5:
        return f"{ratio:.1f} times as wrong as “nothing changes”"
    percent = 100 * abs(ratio - 1)
    if percent < 0.001:
        return "as good as “nothing changes”"
    return f"{percent:.2g} % {'better' if ratio < 1 else 'worse'} than “nothing changes”"


def _chance(best: Judgement, tried: int) -> str:
    """Say how far a p-value may be believed, when the best of so many was looked for (Bonferroni)."""
    if best.p_value is None:
        return "that is too little to tell it from chance."
    p = min(1.0, best.p_value * tried)
    often = "less than once in 1,000" if p < 0.001 else f"{p:.2g}"
    what = f"p {'' if p < 0.001 else '= '}{often}{f', after {tried} tries' if tried > 1 else ''}"
    return f"that is {'more' if p < SURE else 'not more'} than chance gives ({what})."


def _tiles(best: Judgement, tried: int) -> list[tuple[str, str, str, str]]:
    ratio = best.mae_ratio
    p = None if best.p_value is None or ratio is None else min(1.0, best.p_value * tried)
    is_sure = p is not None and p < SURE
    kind = "" if ratio is None or not is_sure else ("good" if ratio < 1 else "bad")
    error = "–" if ratio is None else f"{100 * (ratio - 1):+.2g} %".replace("-", "−")
    return [
        ("Forecasts that came due", f"{best.scored:,}", f"{best.unscored:,} had no outcome", ""),
        (
            f"Error of {_name(best)}",
            error,
            "against “nothing changes”" + ("" if p is None else f", p {'< 0.001' if p < 0.001 else f'= {p:.2g}'}"),
            kind,
        ),
        _percent(best.band_coverage),
        ("Width of the band", _number(best.band_width_bp, " bp"), "its mean full width", ""),
    ]


def _percent(coverage: float | None) -> tuple[str, str, str, str]:
    shown = "–" if coverage is None else f"{100 * coverage:.1f} %"
    return ("The 90 % band held", shown, "of the time; 90 % is what it promises", "")


def _number(value: float | None, unit: str) -> str:
    return "–" if value is None else f"{value:.1f}{unit}"


def _name(judgement: Judgement) -> str:
    return f"{judgement.forecaster} {judgement.parameters}".rstrip()


def _sections(groups: Sequence[Group], has_sources: bool) -> Iterator[str]:
    """Give the pictures of each product, those with most forecasts first."""
    ranked = sorted(groups, key=lambda group: -max(each.scored for each in group[1]))
    for number, (key, found) in enumerate(ranked[:MOST_PICTURES]):
        lines = drawn(found)
        if not lines:
            continue
        best = headline([each for each in found if each.forecaster != "last"])
        judged = next((line for line in lines if line.judgement is best), None)
        name = _title(key, has_sources)
        yield f"<h2>{text(name)}</h2>"
        yield f"<details{OPENED if number < OPEN else ''}><summary>Pictures</summary>"
        yield legend([(line.style, line.name) for line in lines])
        yield '<div class="pictures">'
        yield from pictures(name, lines, judged)
        yield "</div></details>"


def drawn(found: Sequence[Judgement]) -> list[Drawn]:
    """Choose what is drawn, at most six: of each forecaster the best, then the others, the best first."""
    known = sorted((each for each in found if each.scored and each.curves), key=lambda each: each.mae or 0.0)
    first = [next(each for each in known if each.forecaster == name) for name in _names(known)]
    chosen = [*first, *(each for each in known if each not in first)][:MOST_LINES]
    free = [style for style in range(STYLES) if style not in {HOME_STYLES[each.forecaster] for each in first}]
    lines = []
    for each in chosen:
        style = HOME_STYLES[each.forecaster] if each in first else free.pop(0)
        if each.curves is not None:
            lines.append(Drawn(style, _name(each), each, each.curves))
    return lines


def _names(judgements: Sequence[Judgement]) -> list[str]:
    found = {each.forecaster for each in judgements}
    return [name for name in HOME_STYLES if name in found]
