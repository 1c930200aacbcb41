"""The words of the embedded corpus. Order matters: the text, and so its checksum, depends on it.

Each list is drawn from uniformly. Metre decides what is in it: below, DUM is a stressed syllable, da an
unstressed one.
"""

from __future__ import annotations


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


NAMES = words("Ansel Bruno Clover Edda Hazel Iris Jasper Linden Marlow Nerys Orla Robin Selwyn Tilda Wilmot Yorick")

# DUM da
ADJECTIVES = words(
    "silver golden gentle quiet hidden broken burning bitter tender purple crimson ancient hollow wooden frozen "
    "restless nameless faithful merry weary lonely holy little shining sleeping singing laughing falling secret "
    "sacred humble noble yellow drowsy rugged jolly vacant zealous clumsy distant velvet foggy blushing graceful "
    "pious upright knotty early"
)

# DUM; none begins with a vowel, so that "a" fits before each
SHORT_NOUNS = words(
    "wind heart bird ship drum leaf cloud wolf fox harp lamp road thorn dove hill pearl crow branch storm boat swan "
    "wave lark ghost child friend mask wren rose bell ring thief world youth judge kite goose bridge nurse queen vase "
    "jug coin quilt skull church monk plough"
)

# DUM da
LONG_NOUNS = words(
    "river garden candle shadow chimney lantern meadow mountain summer winter raven sparrow lily willow castle mirror "
    "feather ember island harbour orchard fountain cabin blossom story letter mother sister brother fiddle thunder "
    "evening pigeon kitchen journey jungle valley anchor uncle turnip barrel needle oyster acorn puppet beggar "
    "forest saddle"
)

# DUM; the third person adds an s
VERBS = words(
    "keep find hold love hear serve guard seek leave fear know warm break take heal paint mourn greet haunt hide meet "
    "call bring wake mend prove join doubt build weave lift quote"
)

# da DUM
LONG_VERBS = words(
    "recalls forgets awaits adores obeys defends awakes reveals conceals forgives believes deceives surrounds "
    "protects betrays consoles ignites regrets rewards invites recites foretells outruns outlasts enjoys acquits "
    "provokes excites subdues imparts upholds becalms"
)

# da DUM
PREPOSITIONS = words("beyond beneath above before across behind beside against within around along upon")

# Each row is one rhyme. All rows have the same length, so that every word is equally likely at every line end.
RHYMES = tuple(
    words(row)
    for row in (
        "night light sight flight knight height",
        "day way bay clay spray hay",
        "rain plain grain chain train vein",
        "snow glow foe toe bow woe",
        "shore lore door floor core oar",
        "king wing spring string swing sling",
        "ground sound hound mound wound pound",
        "crown town gown clown frown noun",
        "flame name game fame shame frame",
        "stone bone throne tone zone cone",
        "land hand sand band strand wand",
        "year fear spear ear cheer pier",
        "gold fold mould cold scold hold",
        "wall hall squall ball call shawl",
        "tide bride side pride guide hide",
        "lake snake drake cake flake brake",
        "moon noon spoon tune dune rune",
        "dream stream gleam beam seam team",
        "face place grace space race lace",
        "cart part chart dart art tart",
        "well shell spell dell cell knell",
        "fire spire shire squire pyre choir",
        "sleep deep sheep keep leap heap",
        "shade blade glade spade jade trade",
    )
)

PLACES = (
    "a garden by the sea",
    "an inn beside the road",
    "the great hall of a castle",
    "a clearing in the wood",
    "the deck of a ship",
    "a bridge across the river",
    "a market square",
    "the top of a tower",
    "a shepherd's hut",
    "an empty theatre",
    "the edge of a lake",
    "a street in the old town",
    "a mill at the ford",
    "a cave above the shore",
    "an orchard in bloom",
    "a churchyard",
)

TIMES = (
    "at dawn",
    "in the morning",
    "at noon",
    "at dusk",
    "by moonlight",
    "at midnight",
    "in a storm",
    "in deep snow",
)

DIRECTIONS = (
    "A bell rings",
    "A bird sings",
    "A dog barks",
    "The wind rises",
    "The lights go out",
    "Thunder",
    "Music from afar",
    "A knock at the door",
    "Laughter behind the curtain",
    "They dance",
    "They listen",
    "They sit down by the fire",
)

MANNERS = (
    "aside",
    "softly",
    "laughing",
    "in tears",
    "whispering",
    "with a bow",
)

# Three feet each: da DUM da DUM da DUM. Braces hold slots, which grammar.py explains. The number is the shape's weight.
LINES = (
    (3, "The {noun} {long_verb} the {end}"),
    (3, "The {long_noun} {verbs} the {end}"),
    (2, "My {noun} is like the {end}"),
    (2, "O {adjective}, {adjective} {end}"),
    (2, "Who {verbs} must {same_verb} the {end}"),
    (1, "Is there a {noun} or {end}?"),
    (2, "Come, {noun}, and {verb} the {end}"),
    (3, "Dear {other}, {verb} the {end}"),
    (2, "We sing of {adjective} {end}"),
    (2, "No {long_noun} {verbs} the {end}"),
    (2, "Then {verb} the {adjective} {end}"),
    (1, "What {noun} would {verb} the {end}?"),
    (2, "He {verbs} her {long_noun}'s {end}"),
    (2, "And she {long_verb} the {end}"),
    (2, "A {noun} {preposition} the {end}"),
    (1, "I gave the {noun} my {end}"),
)
