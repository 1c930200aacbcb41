"""Judges train/data.py: a split that mixes nothing up, a whole dataset, and batches of windows one step apart."""

import itertools

import torch

from autograder.grading.student import StudentError
from milestones.hidden.chi_square import chi_square_strain

from .needs import need_pair, need_tensor

NOT_IDS = torch.bool, torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64, torch.complex128
ROUNDING = 1  # ids by which a cut may be off: N * val_fraction can be cut off or rounded, before or after subtracting

TWO_RUNS = "train_val_split must return the pair (train, val), two 1-D runs of the ids."
UNSEEN = "No position may be in both parts: validation must test what training has not seen."
IN_ORDER = "train followed by val must be all ids in their order: nothing twice, nothing missing, nothing moved."
FIRST_PART = "train must hold the first N - int(N * val_fraction) of N ids."
PARTS_ARE_IDS = "train and val of a TextDataset must be 1-D and hold integer ids."
WHOLE_TEXT = "The vocabulary must be that of the whole text."
ENDS_BEFORE_VAL = "train must end where validation begins."
INT64 = "x and y must be int64 of shape (batch_size, block_size)."
NEXT = "Each row of x must be a window of ids, and y[b, t] must be the id that follows x[b, t] there."
FULL = "A batch must have batch_size rows; windows may repeat, so that any batch size can be filled."
EVERY_START = "Every start with 0 <= start < N - block_size must be possible."
NO_OTHER_START = "Each window and its last target must lie within ids."
UNIFORM = "All starts at which a window and its last target fit must be equally likely."
INDEPENDENT = "The start of each row must be drawn by itself."
HONOURED = "Two generators in the same state must give the same batch."
MOVES_ON = "Each call must draw anew, with a generator or without."
OWN_WINDOWS = "The rows of a batch must be windows of their own."
TOO_SHORT = "get_batch must raise ValueError if not even one window and its last target fit into ids."
EXACT_FIT = "block_size + 1 ids must be enough: they hold exactly one window and its last target."


def are_ids(value):
    return isinstance(value, torch.Tensor) and value.ndim == 1 and value.dtype not in NOT_IDS


def rounded(length, cut):
    """The length; the right one also if the cut was rounded another way, so that all roundings look alike."""
    return cut if abs(length - cut) <= ROUNDING else length


def order(ids):
    """Whether a list of distinct numbers is a run, a run with gaps, or neither."""
    steps = [after - before for before, after in itertools.pairwise(ids)]
    if all(step == 1 for step in steps):
        return "a run"
    return "with gaps" if all(step > 0 for step in steps) else "out of order"


def test_split(student, draw, expect):
    """One cut: the first N - int(N * val_fraction) (give or take one) are train, the rest validation."""
    for n, fraction in ((100, 0.1), (83 + draw.integer(0, 9), 0.25), (57, 0.5), (7, 0.1)):
        ids = torch.arange(n) + 1000
        parts = student.train.data.train_val_split(ids, fraction)
        fine = isinstance(parts, list) and len(parts) == 2 and all(map(are_ids, parts))
        expect.need(f"train_val_split cuts {n} ids into two runs", fine, rule=TWO_RUNS)
        train, val = (part.tolist() for part in parts)
        expect_one_cut(expect, n, fraction, train, val)
    default = student.train.data.train_val_split(torch.arange(200))
    saw = f"Without val_fraction, train holds {len(default[0])} of 200 ids, should hold 180."
    right = abs(len(default[0]) - 180) <= ROUNDING
    rule = "val_fraction must be 0.1 if it is not given."
    expect.true("val_fraction is 0.1 by default", right, rule=rule, saw=saw, evidence=rounded(len(default[0]), 180))


def expect_one_cut(expect, n, fraction, train, val):
    """train and val are the ids 1000 to 999 + n, cut at the right place."""
    cut = n - int(n * fraction)
    both = set(train) & set(val)
    saw = f"{len(both)} of {n} positions are in both parts."
    evidence = rounded(len(both), cut)
    expect.true(f"the parts of {n} ids do not overlap", not both, rule=UNSEEN, saw=saw, evidence=evidence)
    all_in_order = train + val == list(range(1000, 1000 + n))
    sizes = f"train holds {len(train)} and val {len(val)} ids"
    saw = f"Of the ids 1000 to {999 + n} {sizes}; train begins with {train[:3]}, val with {val[:3]}."
    evidence = [rounded(len(train), cut), rounded(len(val), n - cut), train[:1] == [1000], order(train), order(val)]
    expect.true(f"train + val is all {n} ids in order", all_in_order, rule=IN_ORDER, saw=saw, evidence=evidence)
    saw = f"Of {n} ids with val_fraction={fraction}, train holds {len(train)}, should hold {cut}."
    right = abs(len(train) - cut) <= ROUNDING
    evidence = rounded(len(train), cut)
    expect.true(f"train has its share of {n} ids", right, rule=FIRST_PART, saw=saw, evidence=evidence)


def test_dataset(student, draw, expect):
    """train and val are encode(text), cut once; the vocabulary is that of the whole text."""
    text = "\n " + draw.text("abcdef \n", 400) + "Z \n"  # Z occurs in the validation part only
    other = draw.text("xyz", 90)
    from_text = student.train.data.TextDataset.from_text
    first = student.keep(from_text, text)
    expect_whole_text(student, expect, "the dataset", first, text, 0.1)
    for fraction in (0.5, 0.25):
        dataset = student.keep(from_text, other, val_fraction=fraction)
        expect_whole_text(student, expect, f"a dataset with val_fraction={fraction}", dataset, other, fraction)
    expect_whole_text(student, expect, "the first dataset, once there are others,", first, text, 0.1)


def expect_whole_text(student, expect, which, dataset, text, fraction):
    """train followed by val is encode(text), cut at the right place."""
    train, val = (student.value(getattr(dataset, name)) for name in ("train", "val"))
    expect.need(f"train of {which} is a 1-D tensor of ids", are_ids(train), rule=PARTS_ARE_IDS)
    expect.need(f"val of {which} is a 1-D tensor of ids", are_ids(val), rule=PARTS_ARE_IDS)
    size = student.value(dataset.tokenizer.vocab_size)
    expect.equal(f"vocab_size of {which}", size, len(set(text)), rule=WHOLE_TEXT)
    ids = torch.as_tensor(dataset.tokenizer.encode(text)).to(torch.int64)
    cut = len(text) - int(len(text) * fraction)
    evidence = rounded(len(train), cut)
    saw = f"Of {len(text)} characters with val_fraction={fraction}, train holds {len(train)}, should hold {cut}."
    ends = len(train) <= cut + ROUNDING
    expect.true(f"train of {which} holds no validation text", ends, rule=ENDS_BEFORE_VAL, saw=saw, evidence=evidence)
    both = torch.cat([train.to(torch.int64), val.to(torch.int64)])
    parts = [evidence, rounded(len(val), len(text) - cut)]
    label, beginning = f"train + val of {which} is encode(text)", same_beginning(both, ids)
    expect.true(label, torch.equal(both, ids), rule=IN_ORDER, saw=beginning, evidence=parts)
    right = abs(len(train) - cut) <= ROUNDING
    expect.true(f"train of {which} has its share", right, rule=FIRST_PART, saw=saw, evidence=evidence)


def same_beginning(both, ids):
    """How long train followed by val, together `both`, is what it should be, in words."""
    shorter = min(len(both), len(ids))
    same = int((both[:shorter] == ids[:shorter]).cumprod(0).sum())
    return f"Of the {len(both)} ids in train and val the first {same} are as in encode(text), which has {len(ids)}."


def wrong_windows(x, y, ids):
    """What is wrong with x, y as windows of distinct ids and their targets, in words; '' if nothing is."""
    if torch.equal(y, x):
        return "y equals x."
    if torch.equal(y, x + 1):
        return "y is x + 1, the next number."
    at_x, at_y = places(x, ids), places(y, ids)
    if bool((at_x < 0).any()) or bool((at_y < 0).any()):
        return "x or y holds numbers that are not in ids."
    if not bool((at_x[:, 1:] == at_x[:, :-1] + 1).all()):
        return "A row of x is not a window of neighbouring ids."
    steps = sorted(set((at_y - at_x).flatten().tolist()))
    return "" if steps == [1] else f"y lies {steps[:4]} steps ahead of x in ids, should be 1."


def places(values, ids):
    """Where in ids (distinct numbers) each value stands; -1 for a number that is not there."""
    hits = values[..., None] == ids
    return torch.where(hits.any(-1), hits.to(torch.int64).argmax(-1), -1)


def test_batch_targets(student, draw, expect):
    """x and y are int64 (B, T); y[b, t] follows x[b, t] in ids."""
    ids = draw.permutation(61) + 100  # the next id is not the next number
    drawn = set()
    for batch_size, block_size in ((5, 7), (1, 3), (draw.integer(8, 11), 4), (3, 1)):
        call = f"get_batch(ids, {batch_size}, {block_size})"
        reply = student.train.data.get_batch(ids, batch_size, block_size)
        x, y = need_pair(expect, call, reply, rule="get_batch must return the pair x, y.")
        shape = batch_size, block_size
        need_tensor(expect, f"x of {call}", x, shape=shape, dtype=torch.int64, rule=INT64)
        need_tensor(expect, f"y of {call}", y, shape=shape, dtype=torch.int64, rule=INT64)
        wrong = wrong_windows(x, y, ids)
        expect.true(f"{call} gives windows and their targets", not wrong, rule=NEXT, saw=wrong, evidence=wrong)
        drawn |= set(x[:, 0].tolist())
    saw = f"All windows of four batches began at the same place, with the id {min(drawn)}."
    expect.true("windows begin at more than one place", len(drawn) > 1, rule=EVERY_START, saw=saw)


def starts(student, n, batch_size, block_size, draws, seed):
    """The starts that get_batch draws, (draws, batch_size), seen from windows of ids 0..n-1."""
    generator = student.generator(seed)
    get_batch = student.train.data.get_batch
    replies = student.repeat(get_batch, draws, torch.arange(n), batch_size, block_size, generator)
    return torch.stack([x[:, 0] for x, _ in replies])


def test_batch_starts(student, draw, expect):
    """All N - T starts are drawn, uniformly, each row for itself; none lies outside."""
    for n, block_size in ((12, 5), (9, 8), (31, 4)):
        drawn = starts(student, n, 50, block_size, 40, draw.seed())
        expect.equal(f"number of rows in a batch of 50 from {n} ids", drawn.shape[1], 50, rule=FULL)
        counts = torch.bincount(drawn.flatten().clamp(0, n - 1), minlength=n)
        expect_uniform(expect, f"{n} ids with block_size {block_size}", counts, n - block_size)
    expect_repeats(student, draw, expect)
    expect_independent_rows(student, draw, expect)


def expect_repeats(student, draw, expect):
    """Among batches of as many rows as there are windows, some hold a window twice: never by chance in none of 30."""
    possible, block_size = 8, 3
    drawn = starts(student, possible + block_size, possible, block_size, 30, draw.seed())
    repeats = sum(len(set(row)) < possible for row in drawn.tolist())
    saw = f"In 30 batches of {possible} rows from {possible} windows, no window came twice."
    expect.true("a window may come twice in a batch", repeats > 0, rule=INDEPENDENT, saw=saw)


def expect_uniform(expect, where, counts, possible):
    """counts (N,) of the starts drawn: each of the possible ones is there, equally often, and no other."""
    drawn = counts.nonzero().flatten().tolist()
    never = sorted(set(range(possible)) - set(drawn))
    saw = f"In {where} the starts {never} were never drawn."
    expect.true(f"every start is drawn from {where}", not never, rule=EVERY_START, saw=saw, evidence=never)
    wrong = sorted(set(drawn) - set(range(possible)))
    saw = f"In {where} the starts {wrong} were drawn, too."
    expect.true(f"no other start is drawn from {where}", not wrong, rule=NO_OTHER_START, saw=saw, evidence=wrong)
    uniform = torch.zeros(len(counts))
    uniform[:possible] = 1 / possible
    strain = chi_square_strain(counts, uniform)
    saw = f"In {where} the {possible} starts were drawn {counts[:possible].tolist()} times."
    label = f"the starts are equally likely in {where}"
    expect.true(label, strain <= 1, rule=UNIFORM, saw=saw, record=False, strain=strain)


def expect_independent_rows(student, draw, expect):
    """The starts of a batch's two rows lie as far apart as two independent draws."""
    possible, block_size = 480, 7
    drawn = starts(student, possible + block_size, 2, block_size, 400, draw.seed())
    apart = distance_bins(drawn[:, 0] - drawn[:, 1], possible)
    shares = distance_bins(torch.arange(possible), possible) / possible
    strain = chi_square_strain(apart, shares)
    should_be = (400 * shares).round().to(torch.int64).tolist()
    saw = f"By distance, 400 pairs of rows fall into bins of {apart.tolist()}, should be about {should_be}."
    expect.true("rows are independent", strain <= 1, rule=INDEPENDENT, saw=saw, record=False, strain=strain)


def distance_bins(differences, possible):
    """How many differences of starts fall in each of nine bins of their distance on a ring of possible starts."""
    around = differences.abs() % possible
    return torch.bincount(torch.minimum(around, possible - around) * 16 // possible, minlength=9)


def test_batch_generator(student, draw, expect):
    """The same generator seed gives the same batch, the next call another one; too short ids are refused."""
    ids, seed = torch.arange(500), draw.seed()
    get_batch = student.train.data.get_batch
    first, second = (get_batch(ids, 6, 9, student.generator(seed)) for _ in range(2))
    same = all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    saw = "Two generators with the same seed gave different batches."
    expect.true("equal generators give equal batches", same, rule=HONOURED, saw=saw)
    generator = student.generator(seed)
    seeded = [get_batch(ids, 6, 9, generator)[0] for _ in range(3)]
    saw = "Three calls with one generator gave the same batch."
    expect.true("calls with one generator give different batches", not all_equal(seeded), rule=MOVES_ON, saw=saw)
    free = [get_batch(ids, 6, 9)[0] for _ in range(3)]
    saw = "Three calls without a generator gave the same batch."
    expect.true("calls without a generator give different batches", not all_equal(free), rule=MOVES_ON, saw=saw)
    different = first[0][:, 0].unique().numel() > 1
    expect.true("the rows of a batch differ", different, rule=OWN_WINDOWS, saw="All six rows are the same window.")
    for n, block_size in ((5, 5), (3, 8), (0, 2)):
        what = f"get_batch of {n} ids with block_size {block_size}"
        expect.raises(what, ValueError, get_batch, torch.arange(n), 2, block_size, rule=TOO_SHORT)
    exact = student.attempt(get_batch, torch.arange(6), 2, 5)
    fits = not isinstance(exact, StudentError)
    expect.true(
        "6 ids are enough for block_size 5", fits, rule=EXACT_FIT, saw=f"6 ids for block_size 5 raised {exact}."
    )


def all_equal(batches):
    return all(torch.equal(batch, batches[0]) for batch in batches)
