"""Makes text harmless where it leaves the harness: a terminal, a spreadsheet, a page, a JSON file.

What a submission says, and what its files are called, is data to whoever reads it. Nothing in it may move a cursor,
turn the direction of writing, hide itself, be computed, or become a page's own markup. Ordinary text comes out as it
went in, accents, emoji and all; a letter that must not come out is spelled out, like \\x1b.
"""

import html as standard
import re
import unicodedata

# Control, format (bidirectional marks, zero-width letters), surrogates, private use, unassigned, line separators.
_HIDDEN_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# Letters and marks by category that a reader can't see.
_UNSEEN = set("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0")
# The joiner of an emoji that is made of several, as a family is.
_EMOJI = "[\u2190-\u2bff\U0001f000-\U0001faff]"
_JOINER = re.compile(f"(?<={_EMOJI})(\ufe0f?)\u200d(?={_EMOJI})|(?<=\ufe0f)\u200d(?={_EMOJI})")

_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|~$:@=^])")


def line(text: str) -> str:
    """One line of text: what is not visible is spelled out, line ends and tabs too."""
    if text.isascii() and text.isprintable():
        return text
    joiners = {match.end() - 1 for match in _JOINER.finditer(text)}
    return "".join(
        ascii(letter)[1:-1] if _is_hidden(letter) and place not in joiners else letter
        for place, letter in enumerate(text)
    )


def block(text: str) -> str:
    """Text of several lines: as `line`, but line ends stay, and tabs become four spaces."""
    return "\n".join(line(part.replace("\t", "    ")) for part in text.replace("\r\n", "\n").split("\n"))


def cell(text: str) -> str:
    """A spreadsheet's cell: one line, which no spreadsheet takes for a formula."""
    visible = line(text)
    return f"'{visible}" if _FORMULA.match(visible) or text[:1] in ("\t", "\r") else visible


def html(text: str) -> str:
    """Text for a page, inside an element or a quoted attribute."""
    return standard.escape(block(text), quote=True)


def markdown(text: str) -> str:
    """One line for a Markdown page, inside a paragraph or a table's cell: it shows as `line` gives it."""
    return _MARKDOWN.sub(r"\\\1", standard.escape(line(text), quote=False)).replace("  ", " &nbsp;")


def utf8(text: str) -> str:
    """Text that can be written as UTF-8: lone surrogates, as names of files may hold, are spelled out."""
    return text.encode("utf-8", "backslashreplace").decode()


def _is_hidden(letter: str) -> bool:
    return unicodedata.category(letter) in _HIDDEN_CATEGORIES or letter in _UNSEEN
