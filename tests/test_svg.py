"""Pictures are well-formed, say what they show, and take no word for markup."""

from xml.etree import ElementTree as ET

from coinbase_insights.show.axis import plain
from coinbase_insights.show.page import Rows, figure, html_table, legend, page, tiles
from coinbase_insights.show.svg import Bar, Frame, Line, Point, bar_chart, line_chart

HOSTILE = "<script>alert(1)</script>\"'&\x1b\u202e"
FRAME = Frame("A title", "What is seen", plain("time, s", 0.0, 4.0), plain("error, USD", 0.0, 10.0), ((0, 5), (4, 5)))


def parsed(picture: str) -> ET.Element:
    return ET.fromstring(picture)


def test_a_picture_has_a_title_a_description_and_the_labels_of_its_axes() -> None:
    picture = parsed(line_chart(FRAME, [Line(0, [Point(0, 1), Point(1, 2)])]))
    assert picture.attrib["role"] == "img"
    assert (picture.findtext("title"), picture.findtext("desc")) == ("A title", "What is seen")
    assert {"time, s", "error, USD"} <= {each.text for each in picture.iter("text")}


def test_a_line_is_broken_where_a_value_is_missing() -> None:
    points = [Point(0, 1), Point(1, 2), Point(2, None), Point(3, 3), Point(4, 4)]
    picture = parsed(line_chart(FRAME, [Line(0, points)]))
    path = next(each for each in picture.iter("path") if each.get("class") == "line")
    assert path.attrib["d"].count("M") == 2
    assert len(list(picture.iter("circle"))) == 4


def test_a_value_between_two_gaps_is_seen_as_a_dot_in_a_long_line_too() -> None:
    points = [Point(i / 25, None if i in {49, 51} else 5.0, f"p{i}") for i in range(100)]
    picture = parsed(line_chart(FRAME, [Line(0, points)]))
    assert [each.findtext("title") for each in picture.iter("circle") if each.get("class") == "dot"] == ["p50"]


def test_bars_go_up_and_down_from_zero_and_leave_out_what_is_not_known() -> None:
    frame = FRAME._replace(y=plain("skill", -2.0, 2.0, " %"))
    picture = parsed(bar_chart(frame, [Bar(1.5, True, "up"), Bar(None, False, ""), Bar(-1.0, False, "down")]))
    bars = list(picture.iter("rect"))
    assert [bar.attrib["class"] for bar in bars] == ["bar up sure", "bar down unsure"]
    assert float(bars[0].attrib["y"]) + float(bars[0].attrib["height"]) == float(bars[1].attrib["y"])


def test_words_of_others_stay_words() -> None:
    frame = FRAME._replace(title=HOSTILE, description=HOSTILE, x=plain(HOSTILE, 0.0, 1.0))
    picture = line_chart(frame, [Line(0, [Point(0, 1, HOSTILE)])])
    body = [
        figure(HOSTILE, picture, HOSTILE), tiles([(HOSTILE, HOSTILE, HOSTILE, "good")]), legend([(0, HOSTILE)]),
        html_table([HOSTILE], [Rows(HOSTILE, [[HOSTILE]])], 1),
    ]  # fmt: skip
    made = page(HOSTILE, body)
    ET.fromstring(made.removeprefix("<!DOCTYPE html>"))
    assert "<script" not in made
    assert "\x1b" not in made
    assert "\u202e" not in made
