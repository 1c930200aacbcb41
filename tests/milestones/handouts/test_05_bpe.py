"""The worked numbers of handout 5 are what its own sibling code, tiktoken's rules and the real corpus give."""

import importlib
import itertools
import re

import pytest
import regex
import tiktoken

from autograder.handout import anchor_of
from tests.milestones.handouts.reading import Handout, printed
from tests.solutions.test_bpe_tiktoken import BPE, bytes_per_token
from tests.this_course import COURSE

replay = importlib.import_module("milestones.05_bpe.hidden.grader.replay")
HANDOUT = Handout("05_bpe")
SEA = "sea seas see sees sea"
NOTEBOOK = [(b"e", b"r"), (b"h", b"e"), (b"h", b"er"), (b"t", b"he")]


def flowing(heading: str) -> str:
    """A section with its line breaks as blanks, so that a sentence may be wrapped anywhere."""
    return " ".join(HANDOUT.section(heading).split())


def spaced(text: str) -> str:
    return text.replace("␣", " ")


def ids(cell: str) -> list[int]:
    return [int(part) for part in cell.split()]


def rows_of(pieces: str) -> list[list[str]]:
    """`se a, ␣ se a s` as lists of tokens."""
    return [spaced_row.split() for spaced_row in pieces.split(",")]


def test_every_anchor_of_the_manifest_is_a_heading():
    headings = {anchor_of(line) for line in HANDOUT.text.splitlines() if line.startswith("## ")}
    anchors = {item.anchor for item in COURSE.rung(5).items}
    assert anchors <= headings


def test_the_vocabulary_table():
    for cells in HANDOUT.tables("Vocabulary")[0]:
        size, raw, special, merges = map(int, cells[:4])
        assert raw == 256
        assert merges == size - raw - special
        assert cells[4] == (f"256 to {255 + merges}" if merges else "none")
        assert cells[5] == (f"{256 + merges} to {size - 1}" if special else "none")
    with pytest.raises(ValueError):
        BPE.BPETokenizer.train("", 257, ["a", "b"])


def test_the_bytes_of_the_characters():
    for character, point, raw in HANDOUT.tables("Vocabulary")[1]:
        assert ord(character) == int(point)
        assert list(character.encode()) == ids(raw)


def test_the_pieces_of_the_sentence():
    sentence = re.search(r"`(I'll .*?)`", HANDOUT.section("Vocabulary"))[1]
    [pieces] = HANDOUT.tables("Vocabulary")[2]
    assert [spaced(piece) for piece in pieces] == regex.findall(replay.PATTERN, sentence)


def test_each_step_of_training():
    code = HANDOUT.code("Training")
    steps = HANDOUT.tables("Training")[0]
    names = [piece.replace(" ", "␣") for piece in regex.findall(replay.PATTERN, SEA)]
    assert len(set(names)) == len(names)  # so that each occurs once
    rows, seen = [list(name) for name in names], []
    for number, joined, count, runner_up, pieces, tokens in steps:
        if joined:
            first, second = joined.split(" + ")
            counts = code["tally"](rows, [1] * len(rows))
            best, second_best = sorted(counts.values(), reverse=True)[:2]
            assert (counts[f"{first}+{second}"], best, second_best) == (int(count), int(count), int(runner_up))
            seen.append(counts)
            for row in rows:
                code["weld"](row, first, second)
        assert rows == rows_of(pieces), number
        assert sum(map(len, rows)) == int(tokens)
    assert seen[0]["e+a"] == 3
    assert "`e + a` had count 3" in flowing("Training")
    assert seen[2]["␣se+a"] == seen[2]["␣se+e"] == 2
    merges = [tuple(spaced(part).encode() for part in step[1].split(" + ")) for step in steps[1:]]
    assert BPE.BPETokenizer.train(SEA, 260).merges == merges
    assert f"ids of ␣seas: {' '.join(map(str, replay.encode(' seas', merges)))}" in flowing("Training")


def test_the_tally_counts_a_row_as_often_as_it_occurs():
    tally = HANDOUT.code("Training")["tally"]
    assert tally([["a", "b", "a"], ["b", "a"]], [10, 1]) == {"a+b": 10, "b+a": 11}
    assert tally([["a", "a", "a"]], [1]) == {"a+a": 2}
    assert "the tally above says 2" in flowing("Training")


def test_welding_equal_letters():
    for before, after in HANDOUT.tables("Training")[1]:
        row = before.split()
        HANDOUT.code("Training")["weld"](row, "a", "a")
        assert row == after.split()


def test_the_notebook():
    table = [(int(number), tuple(part.encode() for part in pair.split(" + "))) for number, pair in notebook()]
    assert table == [(256 + i, pair) for i, pair in enumerate(NOTEBOOK)]


def notebook():
    return HANDOUT.tables("Encoding")[0]


def test_the_steps_of_other():
    place_of = HANDOUT.code("Encoding")["oldest_that_fits"]
    signs = [(left + right).decode() for left, right in NOTEBOOK]
    row = list("other")
    for _, tokens, fitting, joined in HANDOUT.tables("Encoding")[1]:
        assert row == tokens.split()
        pairs = {f"{a}+{b}": a + b for a, b in itertools.pairwise(row) if a + b in signs}
        assert fitting == ", ".join(f"{pair} {256 + signs.index(sign)}" for pair, sign in pairs.items())
        place = place_of(row, signs)
        assert joined == ("" if place is None else f"{row[place]}+{row[place + 1]}")
        if place is not None:
            row[place : place + 2] = [row[place] + row[place + 1]]
    numbers = [256 + signs.index(token) if token in signs else ord(token) for token in row]
    assert f"Its ids are {' '.join(map(str, numbers))}." in flowing("Encoding")


def first_pair_from_the_left(word: str, ids_of: dict[str, int]) -> list[int]:
    """Joins the first pair that the notebook has, and looks again from the start of the word."""
    row, place = list(word), 0
    while place < len(row) - 1:
        if (row[place].encode(), row[place + 1].encode()) in NOTEBOOK:
            row[place : place + 2] = [row[place] + row[place + 1]]
            place = 0
        else:
            place += 1
    return [ids_of[token] for token in row]


def longest_from_the_left(word: str, ids_of: dict[str, int]) -> list[int]:
    """Takes the longest token that the rest of the word begins with (WordPiece)."""
    taken = []
    while word:
        token = next(word[:n] for n in range(len(word), 0, -1) if word[:n] in ids_of)
        taken.append(ids_of[token])
        word = word[len(token) :]
    return taken


def test_three_encoders_and_one_text():
    tokenizer = BPE.BPETokenizer(NOTEBOOK)
    ranks = tokenizer.mergeable_ranks()
    peer = tiktoken.Encoding("peer", pat_str=BPE.PATTERN, mergeable_ranks=ranks, special_tokens={})
    known = {token.decode("latin-1"): number for token, number in ranks.items()}
    for word, lowest, left, longest in HANDOUT.tables("Encoding")[2]:
        assert ids(lowest) == tokenizer.encode(word) == peer.encode(word) == replay.encode(word, NOTEBOOK)
        assert ids(left) == first_pair_from_the_left(word, known)
        assert ids(longest) == longest_from_the_left(word, known)
        assert {tokenizer.decode(ids(cell)) for cell in (lowest, left, longest)} == {word}


def test_decoding_together_and_apart():
    tokenizer = BPE.BPETokenizer([])
    for numbers, together, apart in HANDOUT.tables("Decoding")[0]:
        assert bytes(ids(numbers)).decode(errors="replace") == tokenizer.decode(ids(numbers)) == together
        assert "".join(bytes([i]).decode(errors="replace") for i in ids(numbers)) == apart
    code = HANDOUT.code("Decoding")
    assert code["letter"] == "안!"
    assert code["torn"] == ["\ufffd", "\ufffd\ufffd", "!"]


def test_flags():
    next_flag = HANDOUT.code("Special")["next_flag"]
    numbers = {"[x]": 300, "[x][x]": 301}
    allowed = {"none": [], "both": list(numbers), "the first": ["[x]"]}
    tokenizer = BPE.BPETokenizer([(b"z", bytes([byte])) for byte in range(44)], list(numbers))
    assert tokenizer.special_tokens == numbers
    for cell, flags, result in HANDOUT.tables("Special")[0]:
        text = rest = cell.strip("`")
        parts = []
        while found := next_flag(rest, allowed[flags]):
            place, flag = found
            parts += [f'"{rest[:place]}"'] * bool(place) + [str(numbers[flag])]
            rest = rest[place + len(flag) :]
        parts += [f'"{rest}"'] * bool(rest)
        assert result == " ".join(parts)
        encoded = []
        for part in parts:
            encoded += [int(part)] if part.isdigit() else list(part.strip('"').encode())
        assert tokenizer.encode(text, allowed[flags]) == encoded
    assert next_flag("plain", ["[x]"]) is None


def test_hex():
    shown = {name: spelled for name, spelled in HANDOUT.tables("Saving")[0]}
    assert shown.pop("the first two bytes of 안") == "안".encode()[:2].hex()
    assert len(shown) == 2
    for token, spelled in shown.items():
        assert spaced(token).encode().hex() == spelled


def test_the_counts_before_and_after_step_2():
    tally = HANDOUT.code("Training")["tally"]
    before, after = (rows_of(HANDOUT.tables("Training")[0][step][4]) for step in (1, 2))
    one_each = [1] * len(before)
    shown = {pair: (int(old), int(new)) for pair, old, new in HANDOUT.tables("Speed")[0]}
    old, new = tally(before, one_each), tally(after, one_each)
    assert shown == {pair: (old.get(pair, 0), new.get(pair, 0)) for pair in {*old, *new}}
    ledger = HANDOUT.code("Speed")["ledger"]
    change: dict = {}
    for old_line, new_line in zip(before, after, strict=True):
        for pair, entry in ledger(old_line, new_line).items():
            change[pair] = change.get(pair, 0) + entry
    assert change == {pair: new - old for pair, (old, new) in shown.items() if new != old}
    drawn = re.findall(r"([␣\w]+\+\w+) +([+-]1)", HANDOUT.section("Speed"))
    assert {pair: int(entry) for pair, entry in drawn} == ledger(before[1], after[1])


def test_a_loss_per_byte():
    text = flowing("Compression")
    assert f"3.20 / 2.26 = {printed(3.20 / 2.26, 3)} nats per byte" in text
    assert HANDOUT.tables("Compression")[0][2][2] == "2.26"


def test_compression_on_the_real_corpus(shakespeare):
    measured = bytes_per_token(shakespeare)
    shown = {int(size): tuple(cells) for size, *cells in HANDOUT.tables("Compression")[0]}
    assert shown == {size: tuple(printed(value, 2) for value in values) for size, values in measured.items()}


def test_pieces_and_late_merges_of_the_real_corpus(shakespeare):
    text = shakespeare.read_text(encoding="utf-8")
    train = text[: len(text) - int(len(text) * 0.1)]
    pieces = regex.findall(replay.PATTERN, train)
    section = flowing("Speed")
    assert f"have {len(pieces):,} pieces, but only {len(set(pieces)):,} different ones" in section
    left, right = BPE.BPETokenizer.train(train, 4096).merges[-1]
    assert f"`{(left + right).decode().replace(' ', '␣')}`" in flowing("Compression")
