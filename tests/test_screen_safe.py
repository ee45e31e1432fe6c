"""Text from elsewhere cannot steer the terminal, whatever it is."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from coinbase_insights.show.safe import safe
from coinbase_insights.show.screen import screen
from views import view

BIDI_AND_ZERO_WIDTH = (
    "\u061c\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
)
CONTROLS = "".join(map(chr, [*range(0x20), *range(0x7F, 0xA0)]))
nasty = st.text(st.one_of(st.sampled_from(BIDI_AND_ZERO_WIDTH + CONTROLS + "[]0m;"), st.characters()))


@given(nasty)
def test_no_control_survives(text: str) -> None:
    assert not set(safe(text)) & set(BIDI_AND_ZERO_WIDTH + CONTROLS)
    assert all(unicodedata.category(character) not in ("Cc", "Cf", "Zl", "Zp") for character in safe(text))


@given(nasty, nasty, nasty)
def test_no_control_of_the_feed_reaches_the_screen(product_id: str, detail: str, note: str) -> None:
    seen = view("STALE")
    product = structs.replace(seen.products[0], product_id=product_id)
    seen = structs.replace(seen, products=(product,), detail=detail, notes=(note,), speed=detail)
    drawn = screen(seen, 200, 30).plain
    assert not set(drawn) & set(BIDI_AND_ZERO_WIDTH + CONTROLS) - {"\n"}
    assert drawn.count("\n") == 29


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_text_without_controls_is_left_alone(text: str) -> None:
    assert safe(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ETH-USD", "ETH-USD"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb", "a\\x0ab"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202eDSU", "\\u202eDSU"),
        ("\U000e0041", "\\U000e0041"),
        ("[bold red]", "[bold red]"),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert safe(text) == shown


def test_markup_is_not_read() -> None:
    seen = structs.replace(view("LIVE"), detail="[red]down[/red] :warning:")
    assert "[red]down[/red] :warning:" in screen(seen, 120, 30).plain
