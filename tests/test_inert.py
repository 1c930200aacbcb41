"""What comes out moves no cursor, hides nothing, computes nothing and is not markup; ordinary text is unchanged."""

import csv
import io
import re
import unicodedata
from html.parser import HTMLParser

import mistune
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from autograder import inert

ANY = st.text(st.characters(exclude_categories=()), max_size=60)  # lone surrogates, too
HOSTILE = st.text(
    st.sampled_from("=+-@|'\"<>&;,\t\r\n\x1b\x07\x00\x85\u202e\u2066\u200b\u200d\u061c\ufeff ab1"), max_size=30
)
TEXT = ANY | HOSTILE
ORDINARY = [
    "model/attention.py:8: ValueError: café, naïve, Ångström",
    "他们在学习，标点也行。　全角空格",
    "שלום العالم",
    "emoji 👍🏽 ❤️ 👩‍💻 👨‍👩‍👧 🏳️‍🌈",
    "e\u0301 combining; math ∑ᵢ xᵢ² ≤ 1; quote “x” — it's",
    "tensor([[1., -2.]])",
]
BIDI = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")


def moves_or_hides(text):
    """Control and bidirectional characters, surrogates, and zero-width ones but for an emoji's own joiner."""
    return [
        letter
        for letter in text
        if letter in BIDI or (unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") and letter != "\u200d")
    ]


@given(TEXT)
def test_no_line_moves_a_cursor_or_hides_anything(text):
    for made in (inert.line(text), inert.cell(text), inert.markdown(text)):
        assert moves_or_hides(made) == []
        assert "\n" not in made
    for made in (inert.block(text), inert.html(text)):
        assert moves_or_hides(made.replace("\n", "")) == []


@given(TEXT)
@example("\u200d")
@example("a\u200db")
def test_a_zero_width_joiner_stays_between_emoji_only(text):
    for match in re.finditer("\u200d", inert.line(text)):
        around = inert.line(text)[match.start() - 1] + inert.line(text)[match.end()]
        assert not any(letter.isalnum() or letter.isspace() for letter in around)


@given(TEXT)
def test_making_text_inert_twice_changes_nothing_more(text):
    for make in (inert.line, inert.block, inert.cell, inert.utf8):
        assert make(make(text)) == make(text)


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_comes_out_as_it_went_in(text):
    assert inert.line(text) == inert.block(text) == inert.cell(text) == inert.utf8(text) == text
    code = f"def f(x):\n    return x  # {text}\n"
    assert inert.block(code) == code


def test_what_is_not_visible_is_spelled_out():
    assert inert.line("\x1b[2J\x07\u202e\r\n\t\x85\u200b\ud800") == "\\x1b[2J\\x07\\u202e\\r\\n\\t\\x85\\u200b\\ud800"
    assert inert.block("a\r\n\tb") == "a\n    b"


@given(st.lists(TEXT, min_size=1, max_size=5))
def test_a_csv_of_cells_reads_back_and_holds_no_formula(texts):
    cells = [inert.cell(text) for text in texts]
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_NONNUMERIC).writerow(cells)
    [row] = csv.reader(io.StringIO(written.getvalue()))
    assert row == cells
    for cell in row:
        assert not cell.lstrip().startswith(("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"))
    # where a semicolon or a tab separates cells, quoted ones still are whole
    [elsewhere] = csv.reader(io.StringIO(written.getvalue().replace('","', '";"')), delimiter=";")
    assert not any(cell.lstrip().startswith(("=", "+", "-", "@")) for cell in elsewhere if cell in cells)


@pytest.mark.parametrize(
    "formula", ['=HYPERLINK("http://x","y")', "+1|calc", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "  =1"]
)
def test_a_formula_becomes_text(formula):
    assert inert.cell(formula).startswith("'")
    assert inert.cell(formula)[1:] == inert.line(formula)


class Page(HTMLParser):
    """The text and the tags of a page."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.said, self.tags = "", []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, attrs))

    def handle_data(self, data):
        self.said += data


@given(TEXT)
def test_html_shows_the_text_and_nothing_else(text):
    page = Page(f'<p title="{inert.html(text)}">{inert.html(text)}</p>')
    assert page.said == inert.block(text)
    assert page.tags == [("p", [("title", inert.block(text))])]


@given(TEXT)
@example("[x](javascript:alert(1)) <img src=x> `a` **b** ~~c~~ | d | # e https://f.example www.g.example $h$")
@example("    four spaces and  two at the end  ")
@example("1. one")
def test_markdown_shows_the_line_and_nothing_else(text):
    render = mistune.create_markdown(escape=False, plugins=["table", "strikethrough", "url", "footnotes", "math"])
    page = Page(render(f"x {inert.markdown(text)} y"))
    assert page.said.replace("\xa0", " ").strip() == f"x {inert.line(text)} y".replace("\xa0", " ")
    assert [tag for tag, _ in page.tags] == ["p"]
