"""Judges tokenizer/char.py: text comes back as it went in, ids are the same everywhere, the unknown is refused."""

import re

import torch

from autograder.grading.student import StudentError

LETTERS = "abcdefghijklmnopqrstuvwxyz0,.!?'ABCDEFGHéß漢字🙂"
ALWAYS = "aAe\u0301 \n\r\t"  # what lower-casing, stripping, or normalising a text would change
UNKNOWN = "Ω"
NAMES_OF_UNKNOWN = "ω", "03a9", "937", "greek capital letter omega"  # in lower case, as the message is compared
OTHER_UNKNOWNS = "Ψйϊ"  # Ω is neither the least nor the greatest of the four
ABSENT = "ж中Ξ"  # neither in the vocabulary nor in the text
MOST_PLACES = 5  # in a message: where, how long the text is, how large the vocabulary is, and some to spare

ONE_ID_EACH = "Each character of a text must become exactly one id."
PERMUTATION = "The V different characters of the text must have the ids 0 to V - 1, each its own."
INVERSE = "decode must undo encode: nothing may be added, lost or tidied up, neither letters nor white space."
OWN_TABLE = "Two tokenizers must not share a table."
SAME_IDS = "The same text must give the same ids, or a saved model would read gibberish."
REFUSED = "encode must refuse a character that is not in the vocabulary with ValueError."
NAMED = "The ValueError must name the first unknown character of the text."
PLACED = "The ValueError must say at which position the first unknown character stands."
TELLING = "The ValueError must name what is wrong, and not everything that could be."
IN_RANGE = "decode must refuse an id outside 0..V-1 with ValueError; -1 must not stand for the last character."


def new_tokenizer(student, text):
    return student.keep(student.tokenizer.char.CharTokenizer.from_text, text)


def fresh_text(draw, length=300):
    """A text of some characters, each of which occurs: always letters of both cases, white space and an accent."""
    picked = {LETTERS[i] for i in draw.permutation(len(LETTERS))[:21].tolist()}
    alphabet = ALWAYS + "".join(sorted(picked - set(ALWAYS)))
    return draw.text(alphabet, length) + alphabet


def plain(ids):
    """A list, even if the student keeps ids in a tensor."""
    return ids.tolist() if isinstance(ids, torch.Tensor) else ids


def test_tokenizer_round_trip(student, draw, expect):
    """Each character has one id in 0..V-1, and decode undoes encode."""
    text = fresh_text(draw)
    part = " \n" + draw.text(text, 40) + "  \t\r\n "  # the same letters in another order, white space at the ends
    tokenizer = new_tokenizer(student, text)
    ids = expect_one_id_each(student, expect, tokenizer, text)
    expect.equal("decode(encode(text))", tokenizer.decode(ids), text, rule=INVERSE, record=False)
    rule = "decode must take a 1-D tensor of ids as well as a list."
    expect.equal("decode of a tensor", tokenizer.decode(torch.tensor(ids)), text, rule=rule)
    expect.equal("decode(encode(part))", tokenizer.decode(tokenizer.encode(part)), part, rule=INVERSE)
    expect.equal("encode('')", plain(tokenizer.encode("")), [], rule="An empty text must have no ids.")
    expect.equal("decode([])", tokenizer.decode([]), "", rule="No ids must give an empty text.")
    other = new_tokenizer(student, "\t xyz\r\n")
    rule = "vocab_size must count each character of the tokenizer's own text, white space at its ends included."
    expect.equal("vocab_size of a second tokenizer", student.value(other.vocab_size), 7, rule=rule)
    again = tokenizer.decode(tokenizer.encode(part))
    expect.equal("decode(encode(part)) of the first tokenizer afterwards", again, part, rule=OWN_TABLE)


def expect_one_id_each(student, expect, tokenizer, text):
    """The ids of `text`, after checking that its V characters have the ids 0 to V - 1."""
    size = len(set(text))
    rule = "vocab_size must be the number of different characters in the text."
    expect.equal("vocab_size", student.value(tokenizer.vocab_size), size, rule=rule)
    ids = plain(tokenizer.encode(text))
    are_ints = isinstance(ids, list) and all(type(i) is int for i in ids)
    saw = f"encode(text) is {ids!r:.60}."
    expect.need("encode(text) is a list of ints", are_ints, rule="encode must return a list of ints.", saw=saw)
    expect.equal("length of encode(text)", len(ids), len(text), rule=ONE_ID_EACH)
    pairs = set(zip(text, ids, strict=False))  # of different lengths in a diagnosis run only
    least, greatest = min(ids, default=0), max(ids, default=0)
    one_to_one = len(pairs) == size and {i for _, i in pairs} == set(range(size))
    saw = f"{size} characters make {len(pairs)} different pairs (character, id), with ids from {least} to {greatest}."
    evidence = [len(pairs), least, greatest]
    expect.true("each character has its own id in 0..V-1", one_to_one, rule=PERMUTATION, saw=saw, evidence=evidence)
    return ids


def test_tokenizer_deterministic(student, draw, expect):
    """Two tokenizers of one text, in one process or two with different hash seeds, give the same ids."""
    text = fresh_text(draw)
    here, again, there = (plain(new_tokenizer(side, text).encode(text)) for side in (student, student, student.twin()))
    saw = difference(text, here, again, "another tokenizer")
    expect.true("a second tokenizer of the same text gives the same ids", here == again, rule=SAME_IDS, saw=saw)
    saw = difference(text, here, there, "another Python process")
    expect.true("another Python process gives the same ids", here == there, rule=SAME_IDS, saw=saw)


def difference(text, ids, others, where):
    """The first character that has two ids, in words; '' if there is none."""
    for character, i, other in zip(text, ids, others, strict=False):
        if i != other:
            return f"{character!r} has the id {i}, and in {where} {other}."
    return ""


def test_tokenizer_errors(student, draw, expect):
    """What the vocabulary does not hold raises ValueError that says what and where."""
    text = "abcdefgh"
    tokenizer = new_tokenizer(student, text)
    known, position = draw.text(text, 200), draw.integer(30, 70)
    broken = known[:position] + UNKNOWN + known[position:] + OTHER_UNKNOWNS
    expect.raises("encode of a text with an unknown character", ValueError, tokenizer.encode, broken, rule=REFUSED)
    expect_telling(expect, student.attempt(tokenizer.encode, broken), position, len(broken))
    for what, ids in (("V", [1, len(text)]), ("-1", [0, -1]), ("10**6", [10**6])):
        expect.raises(f"decode of the id {what}", ValueError, tokenizer.decode, ids, rule=IN_RANGE)
    with_minus_one = torch.tensor([0, -1])
    expect.raises("decode of a tensor with the id -1", ValueError, tokenizer.decode, with_minus_one, rule=IN_RANGE)


def expect_telling(expect, error, position, length):
    """The error's message names the first unknown character and its position, and not all characters and positions."""
    message = error.message.casefold() if isinstance(error, StudentError) else ""
    saw = f"The first unknown character is {UNKNOWN!r} at position {position}; the message is {message!r:.160}."
    named = any(name in message for name in NAMES_OF_UNKNOWN)
    instead = [other for other in OTHER_UNKNOWNS.casefold() if other in message and not named]
    expect.true("the error names the first unknown character", named, rule=NAMED, saw=saw, evidence=instead)
    placed = any(str(place) in message for place in (position, position + 1))  # counted from 0, or from 1
    numbers = any(map(str.isdigit, message))
    expect.true("the error says where the unknown character stands", placed, rule=PLACED, saw=saw, evidence=numbers)
    places = {int(number) for number in re.findall(r"\d+", message) if int(number) < length}
    strangers = [character for character in ABSENT.casefold() if character in message]
    saw = f"The message names {len(places)} positions, and {len(strangers)} characters that are not in the text."
    telling = len(places) <= MOST_PLACES and not strangers
    expect.true("the error names nothing else", telling, rule=TELLING, saw=saw)
