"""Rung 5: byte-pair encoding, judged by replay and against tiktoken running on the student's own merges."""

import tiktoken

from autograder.graders import bpe_replay
from autograder.graders.bpe_replay import PATTERN, WrongMerge
from autograder.student import StudentError

SYLLABLES = [
    "an",
    "ber",
    "co",
    "da",
    "er",
    "fi",
    "go",
    "hu",
    "in",
    "ki",
    "lo",
    "mo",
    "ne",
    "on",
    "pa",
    "re",
    "st",
    "th",
    "ü",
]
ODD = [
    "",
    " ",
    "a",
    "\n",
    "  two  spaces ",
    "tab\tand\r\nline\n\n\n",
    " trailing   ",
    "don't we'll I'VE",
    "x'S 12345 3.14",
]
UNICODE = [
    "안녕하세요",
    "naïve café",
    "🙂👩‍👩‍👧",
    "日本語テキスト",
    "\x00\x7f\u0080",
    "e\u0301",
    "\u2028\u00a0",
    "Straße №5",
    "١٢٣",
    "ǅ—…",
]


def prose(draw, words: int) -> str:
    """Text with a natural skew: few words, made of syllables, some of them often."""
    stock = ["".join(draw.choice(SYLLABLES) for _ in range(draw.integer(1, 4))) for _ in range(60)]
    parts = []
    for _ in range(words):
        word = stock[int(len(stock) * draw.rand(1).item() ** 2.5)]
        parts.append(draw.choice([" ", " ", " ", " ", ", ", ".\n", " 1", "  "]) + word)
    return "".join(parts)


def fuzz(draw, count: int) -> list[str]:
    """Strings that mix scripts, signs, digits, white space and the words that merges were learned on."""
    alphabet = "".join(UNICODE) + "abcthe anin  \n\t'sd.,!0189-"
    return [draw.text(alphabet, draw.integer(0, 40)) for _ in range(count)]


def trained(student, text, vocab_size, special_tokens=()):
    return student.tokenizer.bpe.BPETokenizer.train(text, vocab_size, list(special_tokens))


def merges_of(expect, student, tokenizer):
    """merges as [(bytes, bytes)]; None, after a failed expectation, where they are anything else."""
    value = student.value(tokenizer.merges)
    fine = isinstance(value, list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(type(part) is bytes for part in pair) for pair in value
    )
    why = "merges should be a list of pairs of bytes, in the order in which they were learned."
    expect.true("merges", fine, why=why, seen=type(value).__name__)
    return [tuple(pair) for pair in value] if fine else None


def ids_of(value):
    """A list of ints from what encode returned, or None."""
    value = value.tolist() if hasattr(value, "tolist") else value
    return value if isinstance(value, list) and all(type(i) is int for i in value) else None


def test_train_sizes(student, draw, expect):
    """vocab_size counts bytes, merges and special tokens; there are fewer where no pair is left."""
    text = prose(draw, 300)
    for size, special in ((300, []), (310, ["<|endoftext|>", "<|pad|>"]), (256, []), (257, ["<|end|>"])):
        tokenizer = trained(student, text, size, special)
        what = f"{size} with {len(special)} special"
        expect.equal(f"vocab_size of {what}", student.value(tokenizer.vocab_size), size, why="It counts all three.")
        merges = merges_of(expect, student, tokenizer)
        if merges is None:
            return
        why = f"{size} entries are 256 bytes, {len(special)} special tokens and the rest merges."
        expect.equal(f"merges of {what}", len(merges), size - 256 - len(special), why=why)
        ranks = student.value(tokenizer.special_tokens)
        expected = {text: size - len(special) + i for i, text in enumerate(special)}
        expect.equal(f"special tokens of {what}", ranks, expected, why="Special tokens come last, in the order given.")
    for text, most in (("", 0), ("x", 0), ("ab", 1), ("aaaa", 2), ("ab cd", 3)):
        tokenizer = trained(student, text, 300)
        merges = merges_of(expect, student, tokenizer)
        count = -1 if merges is None else len(merges)
        why = f"The text {text!r} has room for {most} merges; then no pair is left, and training stops."
        expect.equal(f"merges of {text!r}", count, most, why=why)
        size = student.value(tokenizer.vocab_size)
        expect.equal(
            f"vocab_size of {text!r}", size, 256 + most, why="vocab_size is what there is, not what was asked for."
        )


def test_train_replay(student, draw, expect):
    """Each merge joined a pair that was as frequent as any."""
    texts = {
        "prose": (prose(draw, 400), 340),
        "aaa": ("aaa aaaa aaaaa ab" + " aaaaaaa" * 3 + " bb", 264),
        "scripts": (" ".join(UNICODE * 3 + ODD), 300),
    }
    for name, (text, size) in texts.items():
        merges = merges_of(expect, student, trained(student, text, size))
        if merges is None:
            return
        problem, seen = None, None
        try:
            left_over = bpe_replay.replay(text, merges)
        except WrongMerge as error:
            problem, seen = str(error), error.evidence
            if crosses(merges[error.number]):
                problem += " Merges must not cross the borders of pieces."
        else:
            if left_over and len(merges) < size - 256:
                problem, seen = f"Training stopped after {len(merges)} merges although pairs are left.", len(merges)
        expect.true(f"merges on {name}", problem is None, why=problem or "", seen=seen)


def crosses(pair) -> bool:
    """Whether the joined text would be more than one piece."""
    try:
        return len(bpe_replay.pieces((pair[0] + pair[1]).decode())) > 1
    except UnicodeDecodeError:
        return False


def test_encode_replay(student, draw, expect):
    """encode joins the pair of the lowest rank first, again and again, within each piece."""
    tokenizer = trained(student, prose(draw, 500), 400)
    merges = merges_of(expect, student, tokenizer)
    if merges is None:
        return
    texts = [prose(draw, 40), *ODD, *UNICODE, *fuzz(draw, 30), "anananan berberber" * 3, " aaaaaaa"]
    replies = [
        reply if isinstance(reply, StudentError) else ids_of(reply) for reply in encode_all(student, tokenizer, texts)
    ]
    for text, reply in zip(texts, replies, strict=True):
        if isinstance(reply, StudentError):
            raise reply
        expected = bpe_replay.encode(text, merges)
        word, given, right = smallest_difference(text, reply, expected)
        why = f"{word!r} becomes {given}, but joining the pair of the lowest rank first gives {right}."
        expect.true(f"encode({text[:20]!r})", reply == expected, why=why, seen=like(text, reply, merges, expected))


def encode_all(student, tokenizer, texts):
    return student.batch(tokenizer.encode, [(text,) for text in texts])


def smallest_difference(text, reply, expected):
    return (text if len(text) < 40 else text[:40] + "…"), (reply or [])[:12], expected[:12]


def like(text, reply, merges, expected):
    """Which well-known other way of encoding gives these ids."""
    if reply == expected:
        return "right"
    for name, other in OTHER_ENCODERS.items():
        if reply == other(text, merges):
            return name
    return reply[:40] if reply is not None else "no list of ints"


def left_to_right(text, merges):
    """Joins the first pair that has any rank."""
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    out = []
    for word in ordered_pieces(text):
        word, i = [(part, part[0]) for part in word], 0
        while i < len(word) - 1:
            pair = word[i][0], word[i + 1][0]
            if pair in ranks:
                word[i : i + 2] = [(pair[0] + pair[1], 256 + ranks[pair])]
                i = 0
            else:
                i += 1
        out += [number for _, number in word]
    return out


def longest_match(text, merges):
    """Takes the longest token that fits, from the left (WordPiece)."""
    tokens = {bytes([byte]): byte for byte in range(256)}
    for rank, (left, right) in enumerate(merges):
        tokens.setdefault(left + right, 256 + rank)
    out = []
    for word in ordered_pieces(text):
        data, i = b"".join(word), 0
        while i < len(data):
            length = next(n for n in range(len(data) - i, 0, -1) if data[i : i + n] in tokens)
            out.append(tokens[data[i : i + length]])
            i += length
    return out


def without_pieces(text, merges):
    """Joins across the borders of pieces, too."""
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    word = [(bytes([byte]), byte) for byte in text.encode()]
    while len(word) > 1:
        rank, i = min((ranks.get((word[i][0], word[i + 1][0]), len(ranks)), i) for i in range(len(word) - 1))
        if rank == len(ranks):
            break
        word[i : i + 2] = [(word[i][0] + word[i + 1][0], 256 + rank)]
    return [number for _, number in word]


def one_pass_per_merge_reversed(text, merges):
    """Carries the merges out from the last to the first."""
    out = []
    ids = {}
    for rank, (left, right) in enumerate(merges):
        ids[left + right] = 256 + rank
    for word in ordered_pieces(text):
        for pair in reversed(merges):
            word = bpe_replay.join(word, pair)
        out += [part[0] if len(part) == 1 else ids[part] for part in word]
    return out


def only_bytes(text, merges):
    return list(text.encode())


def stripped(text, merges):
    return bpe_replay.encode(text.strip(), merges)


OTHER_ENCODERS = {
    "left to right": left_to_right,
    "longest match": longest_match,
    "across pieces": without_pieces,
    "merges reversed": one_pass_per_merge_reversed,
    "bytes": only_bytes,
    "stripped": stripped,
}


def ordered_pieces(text):
    return [tuple(bytes([byte]) for byte in piece.encode()) for piece in bpe_replay.regex.findall(PATTERN, text)]


def test_tiktoken_parity(student, draw, expect):
    """tiktoken, built from the student's mergeable_ranks, gives the same ids and the same text."""
    tokenizer = trained(student, prose(draw, 500) + " ".join(UNICODE * 2), 380)
    ranks = tokenizer.mergeable_ranks()
    fine = isinstance(ranks, dict) and all(type(k) is bytes and type(v) is int for k, v in ranks.items())
    expect.true("mergeable_ranks", fine, why="mergeable_ranks maps bytes to ints.", seen=type(ranks).__name__)
    if not fine:
        return
    whole = sorted(ranks.values()) == list(range(380)) and all(ranks.get(bytes([byte])) == byte for byte in range(256))
    why = "mergeable_ranks holds every byte and every merge, with the ids 0 to 379."
    expect.true("ranks", whole, why=why, seen=[len(ranks), max(ranks.values(), default=-1)])
    if not whole:
        return
    peer = tiktoken.Encoding("student", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={})
    texts = [*fuzz(draw, 300), *ODD, *UNICODE, prose(draw, 100)]
    replies = encode_all(student, tokenizer, texts)
    wrong = 0
    example = ""
    for text, reply in zip(texts, replies, strict=True):
        if isinstance(reply, StudentError):
            raise reply
        if ids_of(reply) != peer.encode(text):
            wrong += 1
            example = min(text, example, key=len) if example else text
    why = f"{wrong} of {len(texts)} texts get other ids from tiktoken on your own merges, {example!r} for one."
    expect.true("same ids", not wrong, why=why, seen=wrong)
    replies = student.batch(tokenizer.decode, [(peer.encode(text),) for text in texts])
    lost = [text for text, reply in zip(texts, replies, strict=True) if reply != text]
    expect.true("same text", not lost, why=f"decode does not give {(lost or [''])[0]!r} back.", seen=len(lost))


def test_decode(student, draw, expect):
    """Bytes are joined first and decoded then; what is no UTF-8 becomes U+FFFD; unknown ids are refused."""
    tokenizer = trained(student, prose(draw, 100), 300, ["<|end|>"])
    bad = draw.choice([0x80, 0x9F, 0xBF])
    cases = {
        "a lone continuation byte": ([bad], "\ufffd"),
        "half a character": ([0xEC, 0x95], bytes([0xEC, 0x95]).decode(errors="replace")),
        "a character in three tokens": ([0xEC, 0x95, 0x88], "안"),
        "bytes around it": ([0x61, bad, 0x62], "a\ufffdb"),
        "nothing": ([], ""),
        "a special token": ([299, 0x61], "<|end|>a"),
    }
    for name, (ids, text) in cases.items():
        [reply] = student.batch(tokenizer.decode, [(ids,)])
        why = f"decode({ids}) should be {text!r}: join the bytes of all tokens, then decode with errors='replace'."
        said = f"raised {reply.type}" if isinstance(reply, StudentError) else reply
        expect.equal(name, said, text, why=why)
    pairs = student.batch(tokenizer.decode_bytes, [([bad, 0x61],), ([],), ([299],)])
    said = [f"raised {reply.type}" if isinstance(reply, StudentError) else reply for reply in pairs]
    expect.equal("decode_bytes", said, [bytes([bad, 0x61]), b"", b"<|end|>"], why="The bytes as they are.")
    for i in (300, -1, 10**6):
        expect.raises(f"decode([{i}])", ValueError, tokenizer.decode, [i], why="No token has this id.")


SPECIAL = ["<|eot|>", "<|eot|><|eot|>", "<|a|>", "[MASK]", "+"]


def test_special_tokens(student, draw, expect):
    """Ordinary text unless allowed; the longest first; ids after the merges; found wherever they stand."""
    text = prose(draw, 100)
    tokenizer = trained(student, text, 300 + len(SPECIAL), SPECIAL)
    merges = merges_of(expect, student, tokenizer)
    if merges is None:
        return
    numbers = {token: 300 + i for i, token in enumerate(SPECIAL)}

    def expected(parts):
        out = []
        for part in parts:
            out += [numbers[part]] if part in numbers else bpe_replay.encode(part, merges)
        return out

    cases = {
        "not allowed": ("a<|eot|>b", [], None),
        "allowed": ("a<|eot|>b", ["<|eot|>"], ["a", "<|eot|>", "b"]),
        "another one allowed": ("a<|eot|>b<|a|>", ["<|a|>"], ["a<|eot|>b", "<|a|>"]),
        "the longest first": ("<|eot|><|eot|>x", SPECIAL, ["<|eot|><|eot|>", "x"]),
        "three in a row": ("<|eot|>" * 3, SPECIAL, ["<|eot|><|eot|>", "<|eot|>"]),
        "at both ends": ("<|a|> an <|a|>", SPECIAL, ["<|a|>", " an ", "<|a|>"]),
        "with signs of its own": ("1+[MASK]", ["+", "[MASK]"], ["1", "+", "[MASK]"]),
        "only itself": ("[MASK]", ["[MASK]"], ["[MASK]"]),
        "no such text": ("M A", ["[MASK]"], ["M A"]),
    }
    for name, (source, allowed, parts) in cases.items():
        right = bpe_replay.encode(source, merges) if parts is None else expected(parts)
        given = ids_of(tokenizer.encode(source, allowed_special=list(allowed)))
        why = f"{source!r} with {allowed or 'nothing'} allowed should give {right}, not {given}."
        expect.true(name, given == right, why=why, seen=given)
    plain = ids_of(tokenizer.encode("<|eot|>"))
    right = bpe_replay.encode("<|eot|>", merges)
    why = "A special token's text came out of ordinary text: whoever writes the text would control the model."
    expect.true("the default", plain == right, why=why, seen=plain)
    expect.equal("decode", tokenizer.decode(expected(["a", "<|eot|>", "b"])), "a<|eot|>b", why="Its text comes back.")
    hidden = trained(student, "<|abc|>" * 50, 262, ["<|abc|>"])
    count = len(merges_of(expect, student, hidden) or [])
    expect.equal("trained on its text", count, 5, why="In the training text it is ordinary text, too.")


def test_save_load(student, draw, expect):
    """What is loaded, in another process too, is the same tokenizer."""
    tokenizer = trained(student, prose(draw, 200) + "".join(UNICODE), 330, ["<|end|>", "<|pad|>"])
    tokenizer.save("saved.tokenizer")
    texts = [*fuzz(draw, 20), *UNICODE]
    before = facts(student, tokenizer, texts)
    after = facts(student, student.tokenizer.bpe.BPETokenizer.load("saved.tokenizer"), texts)
    for name in before:
        held = before[name] == after[name]
        expect.true(f"{name} after load", held, why=f"{name} is another one after save and load.", seen=held)
    data = {path: student.files.get(path) for path in student.files.list() if path.startswith("saved.tokenizer")}
    other = student.twin()
    for path, content in data.items():
        other.files.put(path, content)
    there = facts(other, other.tokenizer.bpe.BPETokenizer.load("saved.tokenizer"), texts)
    why = "In another process the loaded tokenizer gives other ids: the file does not hold everything."
    expect.true("ids in another process", before["ids"] == there["ids"], why=why, seen=before["ids"] == there["ids"])


def facts(student, tokenizer, texts):
    ids = [
        ids_of(reply)
        for reply in student.batch(tokenizer.encode, [(text, ["<|end|>"]) for text in [*texts, "a<|end|>"]])
    ]
    return {
        "merges": student.value(tokenizer.merges),
        "special_tokens": student.value(tokenizer.special_tokens),
        "vocab_size": student.value(tokenizer.vocab_size),
        "ids": ids,
    }


def test_deterministic(student, draw, expect):
    """Training gives the same merges in every process."""
    text = prose(draw, 150) + " ab cd ef gh ij kl mn op qr st uv wx yz" * 2
    here = student.value(trained(student, text, 330).merges)
    other = student.twin()
    there = other.value(trained(other, text, 330).merges)
    why = "Two processes learn different merges from the same text: ties are broken by the order of a set or a hash."
    expect.true("merges in another process", here == there, why=why, seen=here == there)


def test_long_run(student, draw, expect):
    """A run of 100,000 equal letters is encoded within the limit."""
    tokenizer = trained(student, "a" * 64 + " " + "ab" * 20, 262)
    merges = merges_of(expect, student, tokenizer)
    if merges is None:
        return
    ids = ids_of(tokenizer.encode("a" * 100_000))
    lengths = {256 + i: len(left + right) for i, (left, right) in enumerate(merges)}
    total = sum(lengths.get(i, 1) for i in ids or [])
    expect.equal("letters in the ids", total, 100_000, why="The ids of 100,000 letters stand for that many letters.")


def test_held_out(student, draw, expect):
    """Text that training has not seen is compressed as well as these merges can."""
    text = prose(draw, 900)
    train, held_out = text[: len(text) * 2 // 3], text[len(text) * 2 // 3 :]
    tokenizer = trained(student, train, 420)
    merges = merges_of(expect, student, tokenizer)
    given = ids_of(tokenizer.encode(held_out))
    if merges is None or given is None:
        expect.true("ids", False, why="encode should return a list of ints.")
        return
    best = len(bpe_replay.encode(held_out, merges))
    bytes_per_token = len(held_out.encode()) / max(1, len(given))
    possible = len(held_out.encode()) / best
    why = f"New text gets {bytes_per_token:.2f} bytes per token; {possible:.2f} is what the merges can give."
    expect.true("bytes per token", len(given) == best, why=why, seen=[len(given), best])
    expect.true("it compresses", bytes_per_token > 1.6, why=why, seen=bytes_per_token > 1.6)


def test_incremental(student, draw, expect):
    """Forty times as many merges on the same text take far less than forty times the CPU time."""
    watch = student.instrument("cpu_time")
    text = " ".join("".join(draw.choice(SYLLABLES) for _ in range(5)) for _ in range(10_000))
    few, many = (watch.measure(student.tokenizer.bpe.BPETokenizer.train, text, 256 + merges) for merges in (10, 400))
    ratio = many / max(few, 1e-3) if isinstance(few, float) and isinstance(many, float) else float("inf")
    why = (
        f"400 merges take {ratio:.0f} times the CPU time of 10: all pairs are counted anew for each merge. Keep the"
        " counts up to date instead."
    )
    expect.true("growth", ratio <= 9, why=why, seen=ratio <= 9)
