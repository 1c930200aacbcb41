"""Rung 5: byte-pair encoding, judged by replay and against tiktoken running on the student's own merges."""

import contextlib
import itertools
import time

import tiktoken
import torch

from . import replay
from .replay import PATTERN, WrongMerge
from autograder.grading.student import StudentError

# fmt: off
SYLLABLES = [
    "an", "ber", "co", "da", "er", "fi", "go", "hu", "in", "ki", "lo", "mo", "ne", "on", "pa", "re", "st", "th", "ü",
]
# fmt: on
REFRAIN = "\nWyvyx wyvyx juq!"  # what a song repeats, letter by letter, is text like any other
ODD = [
    "",
    " ",
    "a",
    "\n",
    "  two  spaces ",
    "tab\tand\r\nline\n\n\n",
    " trailing   ",
    "don't we'll I'VE they're",
    "x'S 12345 3.14",
]
UNICODE = [
    "안녕하세요",
    "naïve café",
    "🙂👩‍👩‍👧",
    "日本語テキスト",
    "\x00\x7f\u0080",
    "e\u0301 Å ﬁ",
    "\u2028\u00a0",
    "Straße №5",
    "١٢٣",
    "ǅ—…",
]
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
ALPHABET = "".join(UNICODE) + "abcthe anin  \n\t'sd.,!0189-"

# Training that counts everything anew for each of 200 merges takes as long as counting all pairs 220 times; keeping the
# counts up to date takes as long as 10 to 30 times, depending on the style.
MANY_MERGES, MOST_COUNTS, YARDSTICK_ROUNDS, ATTEMPTS = 200, 75, 10, 2

HELD_OUT = 2.0  # bytes per token that 164 good merges exceed on new text of this kind


def prose(draw, words: int) -> str:
    """Text with a natural skew: few words, made of syllables, some of them often, some with a capital."""
    stock = ["".join(draw.choice(SYLLABLES) for _ in range(draw.integer(1, 4))) for _ in range(60)]
    stock[::7] = [word.capitalize() for word in stock[::7]]
    places = draw.rand(words) ** 2.5 * len(stock)
    joints = [draw.choice([" ", " ", " ", " ", ", ", ".\n", " 1", "  "]) for _ in range(words)]
    return "".join(joint + stock[int(place)] for joint, place in zip(joints, places.tolist(), strict=True))


def fuzz(draw, count: int) -> list[str]:
    """Strings that mix scripts, signs, digits, white space and letters that merges were learned on."""
    return [draw.text(ALPHABET, draw.integer(0, 40)) for _ in range(count)]


def compounds(draw, merges, count: int) -> list[str]:
    """Words put together from pieces of what was learned: where ways to encode differ, they do so on these."""
    tokens = [(left + right).decode(errors="ignore").strip() for left, right in merges] or [""]
    places = draw.rand(count, 4).tolist()
    return [" " + "".join(tokens[int(place * len(tokens))] for place in row) for row in places]


def trained(student, text, vocab_size, special_tokens=()):
    return student.keep(student.tokenizer.bpe.BPETokenizer.train, text, vocab_size, list(special_tokens))


def merges_of(expect, student, tokenizer, at_most, what="merges"):
    """merges as [(bytes, bytes)]; None, after a failed expectation, where they are anything else."""
    value = student.value(tokenizer.merges)
    fine = isinstance(value, list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(type(part) is bytes for part in pair) for pair in value
    )
    rule = "merges should be a list of pairs of bytes, in the order in which they were learned."
    expect.true(what, fine, rule=rule, evidence=fine or type(value).__name__)
    if fine and len(value) > at_most:
        expect.true(f"number of {what}", False, rule=f"{len(value)} merges where {at_most} are the most.", evidence="many")
    return [(pair[0], pair[1]) for pair in value] if fine and len(value) <= at_most else None


def ids_of(value):
    """A list of ints from what encode returned, or None."""
    value = value.tolist() if isinstance(value, torch.Tensor) and value.ndim == 1 else value
    return value if isinstance(value, list) and all(type(i) is int for i in value) else None


def encode_all(student, tokenizer, texts):
    """The ids of each text; None where they are no list of ints. Raises the first StudentError."""
    replies = student.batch(tokenizer.encode, [(text,) for text in texts])
    for reply in replies:
        if isinstance(reply, StudentError):
            raise reply
    return [ids_of(reply) for reply in replies]


def outcomes(student, ref, calls):
    """What each call returned; "raised ValueError" and the like where it raised."""
    replies = student.batch(ref, calls)
    return [f"raised {reply.type}" if isinstance(reply, StudentError) else reply for reply in replies]


def shown(text: str, most: int = 40) -> str:
    return repr(text if len(text) <= most else text[:most] + "…")


def test_train_sizes(student, draw, expect):
    """vocab_size counts bytes, merges and special tokens; there are fewer where no pair is left."""
    text = prose(draw, 300)
    wanted = [
        (text, 300, [], 44),
        (text, 310, ["<|pad|>", "<|endoftext|>"], 52),
        (text, 256, [], 0),
        (text, 257, ["<|end|>"], 0),
        ("", 300, [], 0),
        ("x", 300, ["<|end|>"], 0),
        ("ab", 300, ["<|end|>", "<|pad|>"], 1),
        ("aaaa", 300, [], 2),
        ("ab cd", 300, [], 3),
    ]
    for source, size, special, count in wanted:
        what = f"train({shown(source, 8)}, {size}, {special})"
        tokenizer = trained(student, source, size, special)
        merges = merges_of(expect, student, tokenizer, 10_000, f"merges of {what}")
        if size - 256 - len(special) == count:
            rule = f"{size} entries are 256 bytes, {len(special)} special tokens and {count} merges."
        else:
            rule = f"There is room for {count} merges in {source!r}; then no pair is left, and training stops."
        expect.equal(f"number of merges of {what}", None if merges is None else len(merges), count, rule=rule)
        total = 256 + count + len(special)
        rule = "vocab_size is what there is: 256 bytes, the merges and the special tokens."
        expect.equal(f"vocab_size of {what}", student.value(tokenizer.vocab_size), total, rule=rule)
        numbers = student.value(tokenizer.special_tokens)
        fine = isinstance(numbers, dict) and set(numbers) == set(special)
        fine = fine and sorted(map(repr, numbers.values())) == sorted(map(repr, range(256 + count, total)))
        rule = f"special_tokens is {numbers!r}, but theirs are the ids {256 + count} to {total - 1}, after the merges."
        expect.true(f"special_tokens of {what}", fine, rule=rule, evidence=numbers)


def test_train_replay(student, draw, expect):
    """Each merge joined a pair that was as frequent as any."""
    texts = {
        "prose": (prose(draw, 400), 340),
        "a run": ("aaa aaaa aaaaa ab" + " aaaaaaa" * 3 + " bb", 264),
        "words that begin alike": ("".join(f" {draw.choice('AaBb')}{word}" for word in fuzz(draw, 40)), 290),
        "scripts": (" ".join(UNICODE * 3 + ODD), 300),
        "blank lines": ("x\n\n\n\n\n  y\n\n\n\n" * 30, 262),
    }
    for name, (text, size) in texts.items():
        merges = merges_of(expect, student, trained(student, text, size), size - 256, f"merges on {name}")
        if merges is None:
            continue
        problem, seen = judged(text, merges, size)
        expect.true(f"choices on {name}", problem is None, rule=problem or "", evidence=seen)


def judged(text, merges, size):
    """What is wrong with the merges, in words and as evidence; (None, "right") where nothing is."""
    try:
        left_over = replay.replay(text, merges)
    except WrongMerge as error:
        return f"{error} (Merges are counted from 0; the text begins with {shown(text)}.)", error.evidence
    if left_over and len(merges) < size - 256:
        return f"Training stopped after {len(merges)} of {size - 256} merges, although pairs are left.", "stopped early"
    return None, "right"


def test_encode_replay(student, draw, expect):
    """encode joins the pair of the lowest rank first, again and again, within each piece."""
    tokenizer = trained(student, prose(draw, 500) + " aaaa aaaaaaa" * 9, 400)
    merges = merges_of(expect, student, tokenizer, 144)
    if merges is None:
        return
    texts = [*ODD, *UNICODE, "anananan berberber" * 3, " aaaaaaa", "aaaaa", *fuzz(draw, 30), prose(draw, 40)]
    texts.append(texts[-1])  # once more: nothing may have been left behind
    usual = len(texts)
    texts += replay.telling(compounds(draw, merges, 400), merges, each=4)
    replies = encode_all(student, tokenizer, texts)
    wrong = [
        (text, reply) for text, reply in zip(texts, replies, strict=True) if reply != replay.encode(text, merges)
    ]
    rule = ""
    if wrong:
        text, reply = min(wrong, key=lambda entry: len(entry[0]))
        right = replay.encode(text, merges)
        rule = (
            f"{len(wrong)} of {len(texts)} texts get wrong ids: {shown(text)} becomes {(reply or [])[:12]}; joining the"
            f" pair of the lowest rank first gives {right[:12]}."
        )
    seen = [replay.way_of(text, reply, merges) for text, reply in zip(texts, replies, strict=True)]
    fixed = len(ODD) + len(UNICODE)  # these texts are the same in each run
    ways = sorted({way[0] for way in seen[usual:]})  # how many compounds there are depends on the merges
    expect.true(
        "encode", not wrong, rule=rule, evidence=[seen[:fixed], seen[fixed : fixed + 3], seen[usual - 2 : usual], ways]
    )


def test_tiktoken_parity(student, draw, expect):
    """tiktoken, built from the student's mergeable_ranks, gives the same ids and the same text."""
    tokenizer = trained(student, prose(draw, 500) + " ".join(UNICODE * 2), 380)
    merges = merges_of(expect, student, tokenizer, 124)
    ranks = tokenizer.mergeable_ranks()
    fine = isinstance(ranks, dict) and all(type(k) is bytes and type(v) is int for k, v in ranks.items())
    expect.true("mergeable_ranks", fine, rule="mergeable_ranks maps bytes to ints.", evidence=fine or type(ranks).__name__)
    if merges is None or not fine:
        return
    expected = {bytes([byte]): byte for byte in range(256)}
    expected |= {left + right: 256 + number for number, (left, right) in enumerate(merges)}
    rule = f"mergeable_ranks has {len(ranks)} entries. Right are 380: each byte with its value, merge i with 256 + i."
    seen = [len(ranks), min(ranks.values(), default=-1), max(ranks.values(), default=-1)]
    expect.true("ranks", ranks == expected and len(ranks) == 380, rule=rule, evidence=seen)
    if ranks != expected or len(ranks) != 256 + len(merges):
        return
    peer = tiktoken.Encoding("student", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={})
    texts = [*ODD, *UNICODE, *fuzz(draw, 300), prose(draw, 100)]
    texts += replay.telling(compounds(draw, merges, 400), merges, each=4)
    right = [peer.encode(text) for text in texts]
    replies = encode_all(student, tokenizer, texts)
    wrong = [text for text, reply, ids in zip(texts, replies, right, strict=True) if reply != ids]
    example = shown(min(wrong, key=len, default=""))
    rule = f"{len(wrong)} of {len(texts)} texts get other ids from tiktoken on your own merges, {example} for one."
    fixed = len(ODD) + len(UNICODE)
    seen = [replay.way_of(text, reply, merges) for text, reply in zip(texts[:fixed], replies, strict=False)]
    expect.true("same ids", not wrong, rule=rule, evidence=seen)
    back = outcomes(student, tokenizer.decode, [(ids,) for ids in right])
    lost = [(text, reply) for text, reply in zip(texts, back, strict=True) if reply != text]
    text, reply = min(lost, key=lambda entry: len(entry[0]), default=("", ""))
    rule = f"{shown(text)} is encoded, and decode makes {shown(str(reply))} of its ids."
    expect.true("same text", not lost, rule=rule, evidence=back[:fixed])


def test_decode(student, draw, expect):
    """Bytes are joined first and decoded then; what is no UTF-8 becomes U+FFFD; unknown ids are refused."""
    tokenizer = trained(student, "ab ab " + prose(draw, 100), 300, ["<|end|>"])
    bad = draw.choice([0x80, 0x9F, 0xBF])
    cases = {
        "a lone continuation byte": [bad],
        "half a character": [0xEC, 0x95],
        "a character in three tokens": [0xEC, 0x95, 0x88],
        "a character in four tokens, between letters": [0x61, 0xF0, 0x9F, 0x99, 0x82, 0x62],
        "bytes around it": [0x61, bad, 0x62],
        "an overlong zero": [0xC0, 0x80],
        "a line end and a zero": [0x0D, 0x0A, 0x00],
        "nothing": [],
    }
    for name, ids in cases.items():
        text = bytes(ids).decode("utf-8", errors="replace")
        [said] = outcomes(student, tokenizer.decode, [(ids,)])
        rule = f"decode({ids}) should be {text!r}: join the bytes of all tokens, then decode with errors='replace'."
        expect.equal(name, said, text, rule=rule)
        [said] = outcomes(student, tokenizer.decode_bytes, [(ids,)])
        expect.equal(f"the bytes of {name}", said, bytes(ids), rule=f"decode_bytes({ids}) is the bytes as they are.")
    for name, ids, text in [
        ("a special token", [299, 0x61], "<|end|>a"),
        ("a byte and a special token", [bad, 299], "\ufffd<|end|>"),
    ]:
        rule = f"decode({ids}) should be {text!r}: 299 is the special token, and its text is what it stands for."
        expect.equal(name, outcomes(student, tokenizer.decode, [(ids,)])[0], text, rule=rule)
    expect.equal("the bytes of a special token", tokenizer.decode_bytes([299]), b"<|end|>", rule="Its text in UTF-8.")
    given = torch.tensor([0x61, 299, 0x62])
    [said] = outcomes(student, tokenizer.decode, [(given,)])
    expect.equal("a tensor", said, "a<|end|>b", rule="decode takes a 1-D tensor of ids, too: models give tensors.")
    for i in (300, -1, 10**6):
        [said] = outcomes(student, tokenizer.decode, [([i],)])
        refused = said in ("raised ValueError", "raised KeyError", "raised IndexError")
        rule = f"No token has the id {i}, so decode([{i}]) should raise ValueError; it gives {said!r}."
        expect.true(f"decode([{i}])", refused, rule=rule, evidence=refused or said)


SPECIAL = ["<|eot|>", "<|eot|><|eot|>", "<|a|>", "[MASK]", "+", "ein"]


def test_special_tokens(student, draw, expect):
    """Ordinary text unless allowed; the longest first; ids after the merges; found wherever they stand."""
    size = 300 + len(SPECIAL)
    tokenizer = trained(student, prose(draw, 100) + " ein einen kein" * 9, size, SPECIAL)
    merges = merges_of(expect, student, tokenizer, 44)
    numbers = student.value(tokenizer.special_tokens)
    fine = isinstance(numbers, dict) and set(numbers) == set(SPECIAL) and set(numbers.values()) == set(range(300, size))
    rule = f"special_tokens should give {SPECIAL} the ids 300 to {size - 1}, after the last merge."
    expect.true("special_tokens", fine, rule=rule, evidence=numbers)
    if merges is None or not fine:
        return

    def ids(parts):
        out = []
        for part in parts:
            out += [numbers[part]] if part in numbers else replay.encode(part, merges)
        return out

    cases = {
        "not allowed": ("a<|eot|>b", [], None),
        "allowed": ("a<|eot|>b", ["<|eot|>"], ["a", "<|eot|>", "b"]),
        "alone, not allowed": ("<|eot|>", [], None),
        "another one allowed": ("a<|eot|>b<|a|>", ["<|a|>"], ["a<|eot|>b", "<|a|>"]),
        "the longest first": ("<|eot|><|eot|>x", SPECIAL, ["<|eot|><|eot|>", "x"]),
        "three in a row": ("<|eot|>" * 3, SPECIAL, ["<|eot|><|eot|>", "<|eot|>"]),
        "only the short one allowed": ("<|eot|>" * 3, ["<|eot|>"], ["<|eot|>"] * 3),
        "side by side": ("<|a|><|eot|>[MASK]", SPECIAL, ["<|a|>", "<|eot|>", "[MASK]"]),
        "between spaces": ("<|a|> an <|a|>  in\n", SPECIAL, ["<|a|>", " an ", "<|a|>", "  in\n"]),
        "with signs of its own": ("1+[MASK]MASK", ["+", "[MASK]"], ["1", "+", "[MASK]", "MASK"]),
        "within words": ("einen kein", ["ein"], ["ein", "en k", "ein"]),
        "only itself": ("[MASK]", ["[MASK]"], ["[MASK]"]),
        "no such text": ("M A", ["[MASK]"], ["M A"]),
        "nothing": ("", SPECIAL, []),
    }
    for name, (source, allowed, parts) in cases.items():
        right = replay.encode(source, merges) if parts is None else ids(parts)
        given = ids_of(tokenizer.encode(source, student.instrument("frozen_set", allowed)))
        rule = f"{source!r} with {allowed or 'nothing'} allowed should give {right}, not {given}."
        expect.true(name, given == right, rule=rule, evidence=special_and_spelled(given, numbers, merges))
    given = ids_of(tokenizer.encode("a<|eot|>b"))
    right = replay.encode("a<|eot|>b", merges)
    rule = "A special token came out of ordinary text, though none was allowed: whoever writes the text could end it."
    expect.true("the default", given == right, rule=rule, evidence=special_and_spelled(given, numbers, merges))
    [back] = outcomes(student, tokenizer.decode, [(ids(["a", "<|eot|>", "b"]),)])
    expect.equal("decode", back, "a<|eot|>b", rule="In decode a special token becomes its text again.")
    hidden = merges_of(expect, student, trained(student, "<|abc|>" * 50, 262, ["<|abc|>"]), 5, "merges on its text")
    learned = [left + right in b"<|abc|>" * 2 for left, right in hidden or ()]
    rule = "In training, too, a special token's text is ordinary text: merges are learned from it."
    expect.true("trained on its text", learned == [True] * 5, rule=rule, evidence=learned)


def special_and_spelled(ids, numbers, merges):
    """The special ids, and between them what the others spell, whichever merges were learned."""
    if ids is None:
        return "no list of ints"
    special = set(numbers.values())
    runs = itertools.groupby(ids, key=lambda i: i if i in special else None)
    return [
        [number] * len(list(run)) if number is not None else str(replay.spelled(list(run), merges))
        for number, run in runs
    ]


def test_save_load(student, draw, expect):
    """What is loaded, in another process too, is the same tokenizer."""
    special = ["«fin»", "<|pad 2|>", " <|end|>"]  # in no order but their own
    tokenizer = trained(student, prose(draw, 200) + " 안녕 日本\t\t|" * 9, 336, special)
    texts = [*ODD, *UNICODE, "a <|end|>b«fin»", *fuzz(draw, 20)]
    before = facts(student, tokenizer, texts, special)
    there_already = set(student.files.list())
    tokenizer.save("saved.tokenizer")
    written = {path: student.files.get(path) for path in student.files.list() if path not in there_already}
    expect.true("save", bool(written), rule="save wrote no file.", evidence=len(written))
    trained(student, "zebra zebra", 258).save("another.tokenizer")
    loaded = student.keep(student.tokenizer.bpe.BPETokenizer.load, "saved.tokenizer")
    compare(expect, before, facts(student, loaded, texts, special), "after load")
    other = student.twin()
    for path, content in written.items():
        other.files.put(path, content)
    loaded = other.keep(other.tokenizer.bpe.BPETokenizer.load, "saved.tokenizer")
    compare(expect, before, facts(other, loaded, texts, special), "in a new process")


def facts(student, tokenizer, texts, special):
    """Everything that save and load must keep."""
    allowed = student.instrument("frozen_set", special)
    size = student.value(tokenizer.vocab_size)
    return {
        "vocab_size": size,
        "special_tokens": student.value(tokenizer.special_tokens),
        "merges": student.value(tokenizer.merges),
        "mergeable_ranks": tokenizer.mergeable_ranks(),
        "ids": outcomes(student, tokenizer.encode, [(text, allowed) for text in texts]),
        "tokens": outcomes(student, tokenizer.decode_bytes, [([i],) for i in range(336)]),
    }


def compare(expect, before, after, when):
    for name, value in before.items():
        same = value == after[name] if name != "ids" else list(map(ids_of, value)) == list(map(ids_of, after[name]))
        rule = f"{name} {when} is not what it was before save: the file does not hold everything, or load changes it."
        expect.true(f"{name} {when}", same, rule=rule, evidence=same or (after[name] if name == "special_tokens" else False))


def test_deterministic(student, draw, expect):
    """Training gives the same tokenizer in every process, and leaves earlier tokenizers alone."""
    text = prose(draw, 150) + " ab cd ef gh ij kl mn op qr st uv wx yz" * 2
    special = ["<|end|>", "<|pad|>", "<|sep|>", "<|cls|>"]
    first = trained(student, text, 330, special)
    before = student.value(first.merges), student.value(first.special_tokens), ids_of(first.encode(text))
    trained(student, "zebra zebra quiz " * 20, 280, ["<|other|>"])
    after = student.value(first.merges), student.value(first.special_tokens), ids_of(first.encode(text))
    rule = "Training a second tokenizer changed the first one: they share a list or dict (of the class, or a default)."
    expect.true("the first of two tokenizers", before == after, rule=rule, evidence=before == after)
    word = ids_of(first.encode("ab"))
    handed_out = student.keep(first.encode, "ab")
    with contextlib.suppress(StudentError):  # a tensor, too, may be what encode returns
        handed_out.append(0)
    same = ids_of(first.encode("ab")) == word
    rule = "Who appends to the list that encode('ab') gave finds it longer the next time: hand out a copy."
    expect.true("a list of one's own", same, rule=rule, evidence=same)
    again = trained(student, text, 330, special)
    rule = "Training twice on the same text gives different merges: the second run finds something that the first left."
    expect.true("trained again", student.value(again.merges) == before[0], rule=rule, evidence=len(before[0] or []))
    other = student.twin()
    there = trained(other, text, 330, special)
    same = other.value(there.merges) == before[0]
    rule = "Two processes learn different merges from the same text: ties are broken by the order of a set or a hash."
    expect.true("merges in another process", same, rule=rule, evidence=same)
    same = other.value(there.special_tokens) == before[1]
    rule = "Two processes give the special tokens different ids: their order comes from a set."
    expect.true("special tokens in another process", same, rule=rule, evidence=same)


def test_long_run(student, draw, expect):
    """A run of 100,000 equal letters is encoded within the limit."""
    letter = draw.choice("aeinr")
    tokenizer = trained(student, letter * 64 + " " + "ab" * 20, 262)
    merges = merges_of(expect, student, tokenizer, 6)
    if merges is None:
        return
    text = letter * (100_001 + 2 * draw.integer(0, 50))  # odd: joined from the wrong end, another letter is left over
    given, right = ids_of(tokenizer.encode(text)), replay.encode(text, merges)
    rule = f"{len(text)} letters become {len(given or [])} ids, and should become these {len(right)}: {right[:3]}…"
    expect.true("ids of a long run", given == right, rule=rule, evidence=replay.way_of(text, given, merges)[:1])


def test_held_out(student, draw, expect):
    """Text that training has not seen is compressed as well as the merges allow."""
    text = prose(draw, 900)
    train, held_out = text[: len(text) * 2 // 3] + REFRAIN * 40, text[len(text) * 2 // 3 :] + REFRAIN
    tokenizer = trained(student, train, 420)
    merges = merges_of(expect, student, tokenizer, 164)
    given = ids_of(tokenizer.encode(held_out))
    expect.true("ids", given is not None, rule="encode should return a list of ints.", evidence=given is not None)
    if merges is None or given is None:
        return
    whole = replay.spelled(given, merges) == held_out.encode()
    expect.true("all of it", whole, rule="The ids do not stand for the whole text: some of it is lost.", evidence=whole)
    problem, seen = judged(train, merges, 420)
    expect.true("choices", problem is None, rule=problem or "", evidence=seen)
    size, best = len(held_out.encode()), len(replay.encode(held_out, merges))
    reached, possible = size / max(1, len(given)), size / best
    rule = f"New text gets {reached:.2f} bytes per token; {possible:.2f} is what your merges can give."
    expect.true("bytes per token", len(given) == best, rule=rule, evidence=replay.way_of(held_out, given, merges)[:1])
    rule = f"New text gets {reached:.2f} bytes per token, and 164 merges on such text give more than {HELD_OUT}."
    expect.true("it compresses", reached > HELD_OUT, rule=rule, evidence=reached > HELD_OUT)


def test_incremental(student, draw, expect):
    """Many merges take far less time than counting all pairs of the text anew for each."""
    drawn = " ".join(draw.text(LETTERS, draw.integer(6, 12)) for _ in range(8000))
    text = "".join(letter for letter, _ in itertools.groupby(drawn))  # no runs: how those are joined is another matter
    words = replay.words_of(replay.pieces(text))
    text_there = student.put(text)
    rounds = float("inf")
    for _ in range(ATTEMPTS):  # the other side of the machine may have been busy for a moment
        start = time.perf_counter()
        for _ in range(YARDSTICK_ROUNDS):
            replay.counts(words)
        middle = time.perf_counter()
        tokenizer = trained(student, text_there, 256 + MANY_MERGES)
        student.value(tokenizer.merges)  # one that learns only when it is asked does its work here
        end = time.perf_counter()
        rounds = min(rounds, (end - middle) / (middle - start) * YARDSTICK_ROUNDS)
        if rounds <= MOST_COUNTS:
            break
    merges = merges_of(expect, student, tokenizer, MANY_MERGES)
    if merges is None:
        return
    problem, seen = judged(text, merges, 256 + MANY_MERGES)
    expect.true("choices", problem is None, rule=problem or "", evidence=seen)
    rule = (
        f"{MANY_MERGES} merges took as long as counting all pairs of the text {rounds:.0f} times. A merge changes few"
        " words: keep the counts of all the others."
    )
    expect.true("time", rounds <= MOST_COUNTS, rule=rule, evidence=rounds <= MOST_COUNTS)
