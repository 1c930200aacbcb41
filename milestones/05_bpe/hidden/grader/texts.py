"""The texts that tokenizers are trained and tried on: fixed odd ones, and drawn ones."""

# fmt: off
SYLLABLES = [
    "an", "ber", "co", "da", "er", "fi", "go", "hu", "in", "ki", "lo", "mo", "ne", "on", "pa", "re", "st", "th", "ü",
]
# fmt: on
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
ALPHABET = "".join(UNICODE) + "abcthe anin  \n\t'sd.,!0189-"


def prose(draw, words: int) -> str:
    """Text with a natural skew: few words, made of syllables, some of them often, some with a capital."""
    stock = ["".join(draw.choice(SYLLABLES) for _ in range(draw.integer(1, 4))) for _ in range(60)]
    stock[::7] = [word.capitalize() for word in stock[::7]]
    places = draw.rand(words) ** 2.5 * len(stock)
    joints = [draw.choice([" ", " ", " ", " ", ", ", ".\n", " 1", "  "]) for _ in range(words)]
    return "".join(joint + stock[int(place)] for joint, place in zip(joints, places.tolist(), strict=True))


def fuzz(draw, count: int) -> list[str]:
    """Strings that mix scripts, signs, digits, white space and the letters of what merges are learned on."""
    return [draw.text(ALPHABET, draw.integer(0, 40)) for _ in range(count)]


def compounds(draw, merges, count: int) -> list[str]:
    """Words put together from four tokens that were learned. If two ways to encode differ, they do so on these."""
    tokens = [(left + right).decode(errors="ignore").strip() for left, right in merges] or [""]
    places = draw.rand(count, 4).tolist()
    return [" " + "".join(tokens[int(place * len(tokens))] for place in row) for row in places]


def shown(text: str, most: int = 40) -> str:
    """The beginning of a text, in quotes, for a message."""
    return repr(text if len(text) <= most else text[:most] + "…")
