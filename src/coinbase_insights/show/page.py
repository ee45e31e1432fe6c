"""A page that is one file: no script, nothing fetched, light or dark as its reader likes it, on any width."""

from collections.abc import Sequence
from typing import NamedTuple

from .svg import text

STYLE = """
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--ink:#16202c;--soft:#566273;--edge:#dde2e9;--grid:#e6eaef;
--good:#0b6bb8;--bad:#c2410c;--s0:#0b6bb8;--s1:#c2410c;--s2:#5b6675;--s3:#8a3d9c;--s4:#00755e;--s5:#7a5c00}
@media (prefers-color-scheme:dark){:root{--page:#0f141a;--card:#171e27;--ink:#e8edf3;--soft:#a3b0bf;--edge:#2a3542;
--grid:#253040;--good:#62b5ff;--bad:#ff9b66;--s0:#62b5ff;--s1:#ff9b66;--s2:#aeb9c6;--s3:#d9a0ec;--s4:#4fd6b4;
--s5:#e3c65b}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:1320px;margin:0 auto;padding:32px 24px 48px}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 6px;letter-spacing:-.01em}
h2{font-size:1.3rem;line-height:1.3;margin:44px 0 4px;overflow-wrap:anywhere}
h3{font-size:1rem;margin:0 0 4px}
p{margin:.5em 0;max-width:96ch;overflow-wrap:anywhere}
.soft,figcaption,dt{color:var(--soft)}
.soft{font-size:.9rem}
.said{font-size:1.08rem;margin:18px 0 0;max-width:96ch}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,200px),1fr));gap:14px;margin:18px 0}
dl div,figure,.table{background:var(--card);border:1px solid var(--edge);border-radius:10px}
dl div{padding:12px 16px}
dt{font-size:.82rem}
dd{margin:0;font-size:1.45rem;font-weight:650;font-variant-numeric:tabular-nums;line-height:1.35}
dd small{display:block;font-size:.82rem;font-weight:400;color:var(--soft)}
.good{color:var(--good)}
.bad{color:var(--bad)}
.table{overflow-x:auto;margin:18px 0}
table{border-collapse:collapse;width:100%;font-size:.87rem;font-variant-numeric:tabular-nums}
th,td{padding:7px 11px;text-align:left;white-space:nowrap;border-top:1px solid var(--edge)}
thead th{border-top:0;color:var(--soft);font-weight:600}
th.number,td.number{text-align:right}
td:not(.number){white-space:normal;min-width:8em}
tbody th{padding-top:14px}
.pictures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,500px),1fr));gap:18px;margin:14px 0}
figure{margin:0;padding:16px 18px 14px;min-width:0}
figcaption{font-size:.88rem;line-height:1.45;margin-top:6px}
svg{display:block;width:100%;height:auto;max-width:720px;margin:auto}
svg text{fill:var(--soft);font-size:11.5px;font-variant-numeric:tabular-nums}
.mid{text-anchor:middle}
.end{text-anchor:end}
svg .label{fill:var(--ink)}
.grid{stroke:var(--grid)}
.tick,.axis{stroke:var(--soft)}
.rule{fill:none;stroke:var(--ink);stroke-width:1.2;stroke-dasharray:2 4}
.line{fill:none;stroke:currentColor;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
.dot,.spot{fill:currentColor;stroke:transparent;stroke-width:9;pointer-events:all}
.spot{fill:transparent}
.spot:hover{fill:currentColor}
.s0{color:var(--s0)}
.s1{color:var(--s1)}
.s2{color:var(--s2)}
.s3{color:var(--s3)}
.s4{color:var(--s4)}
.s5{color:var(--s5)}
.s1 .line{stroke-dasharray:9 4}
.s2 .line{stroke-dasharray:2 4}
.s3 .line{stroke-dasharray:9 4 2 4}
.s4 .line{stroke-dasharray:5 3}
.s5 .line{stroke-dasharray:14 4}
.up{fill:var(--good);stroke:var(--good)}
.down{fill:var(--bad);stroke:var(--bad)}
.unsure{fill-opacity:.22}
.legend{display:flex;flex-wrap:wrap;gap:4px 20px;list-style:none;margin:12px 0 0;padding:0;font-size:.9rem}
.legend li{display:flex;align-items:center;gap:8px}
.legend svg{width:34px;flex:none;margin:0}
.legend span{color:var(--ink)}
summary{cursor:pointer;font-weight:600;margin-top:20px;overflow-wrap:anywhere}
@media (max-width:560px){main{padding:20px 14px 36px}svg text{font-size:15px}figure{padding:14px 10px 12px}
h1{font-size:1.4rem}dl{grid-template-columns:1fr 1fr}dd{font-size:1.2rem}}
@media print{body{background:#fff}figure{break-inside:avoid}}
""".strip()


def page(title: str, body: Sequence[str]) -> str:
    """Put parts, which are HTML, into a page."""
    return "\n".join(
        (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8"/>',
            '<meta name="viewport" content="width=device-width, initial-scale=1"/>',
            f"<title>{text(title)}</title>\n<style>\n{STYLE}\n</style>\n</head>\n<body>\n<main>",
            *body,
            "</main>\n</body>\n</html>\n",
        )
    )


def figure(title: str, picture: str, how_to_read: str) -> str:
    """Give a picture with its title, and below it how to read it."""
    head = f"<figure>\n<h3>{text(title)}</h3>"
    return f"{head}\n{picture}\n<figcaption>{text(how_to_read)}</figcaption>\n</figure>"


def tiles(values: Sequence[tuple[str, str, str, str]]) -> str:
    """Give a few large values, each with its name before, a note after, and a class: good, bad or none."""
    shown = [
        f'<div><dt>{text(name)}</dt><dd class="{kind}">{text(value)}<small>{text(note)}</small></dd></div>'
        for name, value, note, kind in values
    ]
    return "\n".join(("<dl>", *shown, "</dl>"))


def legend(names: Sequence[tuple[int, str]]) -> str:
    """Say which line is which, by the numbers of their styles."""
    items = [
        f'<li class="s{style}"><svg viewBox="0 0 34 10" aria-hidden="true"><path class="line" d="M2 5H32"/></svg>'
        f"<span>{text(name)}</span></li>"
        for style, name in names
    ]
    return "\n".join(('<ul class="legend">', *items, "</ul>"))


class Rows(NamedTuple):
    """Rows of a table under a head of their own."""

    head: str
    rows: Sequence[Sequence[str]]


def html_table(heads: Sequence[str], groups: Sequence[Rows], words: int) -> str:
    """Give a table; the first columns are words, the others numbers, which stand to the right."""
    kinds = ["" if number < words else ' class="number"' for number in range(len(heads))]
    parts = ['<div class="table" tabindex="0" role="region" aria-label="all results">\n<table>\n<thead><tr>']
    parts += [f'<th scope="col"{kind}>{text(head)}</th>' for kind, head in zip(kinds, heads, strict=True)]
    parts.append("</tr></thead>\n")
    for group in groups:
        parts.append(f'<tbody>\n<tr><th scope="rowgroup" colspan="{len(heads)}">{text(group.head)}</th></tr>\n')
        for row in group.rows:
            cells = (f"<td{kind}>{text(value)}</td>" for kind, value in zip(kinds, row, strict=True))
            parts.append(f"<tr>{''.join(cells)}</tr>\n")
        parts.append("</tbody>\n")
    return "".join((*parts, "</table>\n</div>"))
