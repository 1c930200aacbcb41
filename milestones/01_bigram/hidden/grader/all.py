"""Rung 1: character tokenizer, split, batches, the bigram model, its training and its measuring."""

import contextlib
import math

import torch
import torch.nn.functional as F

from milestones.hidden.chi_square import chi_square_strain
from autograder.grading.student import Ref, StudentError

LETTERS = "abcdefghijklmnopqrstuvwxyz0,.!?'ABCDEFGHéß漢字🙂"
ALWAYS = "aAe\u0301 \n\r\t"  # what lower-casing, stripping, or normalising a text would change
NOT_IDS = (torch.bool, torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64, torch.complex128)


def ids_of(expect, what, value):
    """A list of ids as ints, whatever sequence the student returns; None (after a failed expectation) otherwise."""
    if isinstance(value, torch.Tensor) and value.ndim == 1:
        value = value.tolist()
    fine = isinstance(value, list) and all(type(i) is int for i in value)
    expect.true(what, fine, rule=f"{what} should be a list of ints.", evidence=type(value).__name__)
    return value if fine else None


def new_tokenizer(student, text):
    return student.keep(student.tokenizer.char.CharTokenizer.from_text, text)


def fresh_text(draw, length=300):
    """A text of some characters, each of which occurs: always letters of both cases, white space and an accent."""
    picked = {LETTERS[i] for i in draw.permutation(len(LETTERS))[:21].tolist()}
    alphabet = ALWAYS + "".join(sorted(picked - set(ALWAYS)))
    return draw.text(alphabet, length) + alphabet


def test_tokenizer_round_trip(student, draw, expect):
    """Each character has one id in 0..V-1, and decode undoes encode."""
    text = fresh_text(draw)
    tokenizer = new_tokenizer(student, text)
    size = len(set(text))
    expect.equal("vocab_size", student.value(tokenizer.vocab_size), size)
    ids = ids_of(expect, "encode(text)", tokenizer.encode(text))
    if ids is None:
        return
    expect.equal("length of encode(text)", len(ids), len(text), rule="Each character becomes exactly one id.")
    pairs = set(zip(text, ids, strict=True)) if len(ids) == len(text) else set()
    one_to_one = len(pairs) == size and {i for _, i in pairs} == set(range(size))
    rule = f"The {size} characters of the text should have the ids 0 to {size - 1}, each its own."
    expect.true("ids", one_to_one, rule=rule, evidence=[len(pairs), min(ids, default=0), max(ids, default=0)])
    expect.equal("decode(encode(text))", tokenizer.decode(ids), text, rule="decode must undo encode.", record=False)
    expect.equal("decode of a tensor", tokenizer.decode(torch.tensor(ids)), text, rule="decode takes a tensor too.")
    part = " \n" + draw.text(text, 40) + "  \t\r\n "
    back = tokenizer.decode(tokenizer.encode(part))
    rule = "The same letters in another order, with white space around them; nothing may be tidied up."
    expect.equal("decode(encode(part))", back, part, rule=rule)
    expect.equal("encode('')", list(tokenizer.encode("") or []), [], rule="No text, no ids.")
    expect.equal("decode([])", tokenizer.decode([]), "", rule="No ids, no text.")
    other = new_tokenizer(student, "\t xyz\r\n")
    rule = "Each character of '\\t xyz\\r\\n' counts, at the ends, too; and two tokenizers must not share a table."
    expect.equal("a second tokenizer", student.value(other.vocab_size), 7, rule=rule)
    again = tokenizer.decode(tokenizer.encode(part))
    expect.equal("the first tokenizer afterwards", again, part, rule="Two tokenizers must not share a table.")


def test_tokenizer_deterministic(student, draw, expect):
    """Two tokenizers of one text, in one process or two with different hash seeds, give the same ids."""
    text = fresh_text(draw)
    here, again, there = (plain(new_tokenizer(side, text).encode(text)) for side in (student, student, student.twin()))
    rule = "Two tokenizers of the same text give different ids to the same characters."
    expect.true("same ids once more", here == again, rule=rule, evidence=here == again)
    rule = "Another Python process gives other ids to the same characters, so a saved model would read gibberish."
    expect.true("same ids in another process", here == there, rule=rule, evidence=here == there)


def plain(ids):
    """A list, also where the student keeps ids in a tensor."""
    return ids.tolist() if isinstance(ids, torch.Tensor) else ids


def test_tokenizer_errors(student, draw, expect):
    """What the vocabulary does not hold raises ValueError that says what and where."""
    text = "abcdefgh"
    tokenizer = new_tokenizer(student, text)
    known, position = draw.text(text, 200), draw.integer(30, 70)
    broken = known[:position] + "Ω" + known[position:] + "Ψйϊ"  # the first is neither the least nor the greatest
    rule = "A character that is not in the vocabulary must not be dropped or replaced in silence."
    expect.raises("encode of an unknown character", ValueError, tokenizer.encode, broken, rule=rule)
    message = message_of(tokenizer.encode, broken).casefold()
    named = any(name in message for name in ("ω", "03a9", "937", "greek capital letter omega"))
    seen = "Ω" if named else [other for other in "ψйϊ" if other in message]
    expect.true("its name", named, rule="The error should name the first unknown character, here 'Ω'.", evidence=seen)
    placed = any(str(place) in message for place in (position, position + 1))  # counted from 0, or from 1
    rule = f"The error should say where the unknown character stands, here at position {position}."
    expect.true("its position", placed, rule=rule, evidence=[placed, any(map(str.isdigit, message))])
    for what, ids in (("V", [1, len(text)]), ("-1", [0, -1]), ("far out", [10**6])):
        rule = "An id outside 0..V-1 stands for no character; -1 is not the last one."
        expect.raises(f"decode of {what}", ValueError, tokenizer.decode, ids, rule=rule)
    expect.raises("decode of a tensor", ValueError, tokenizer.decode, torch.tensor([0, -1]), rule="In tensors, too.")


def message_of(function, *args):
    """What the student's exception says; nothing if there is none."""
    try:
        function(*args)
    except StudentError as error:
        return error.message
    return ""


def test_split(student, draw, expect):
    """One cut: the first N - int(N * val_fraction) (give or take one) are train, the rest validation."""
    for n, fraction in ((100, 0.1), (83 + draw.integer(0, 9), 0.25), (57, 0.5), (7, 0.1)):
        ids = torch.arange(n) + 1000
        parts = student.train.data.train_val_split(ids, fraction)
        fine = isinstance(parts, list) and len(parts) == 2 and all(are_ids(part) for part in parts)
        expect.true(f"two parts of {n}", fine, rule="train_val_split returns (train, val), two runs of the ids.")
        if not fine:
            return
        train, val = (part.tolist() for part in parts)
        both = sorted(set(train) & set(val))
        cut = n - int(n * fraction)
        rule = f"{len(both)} of {n} positions are in both parts: validation no longer tests anything."
        expect.true(f"no overlap in {n}", not both, rule=rule, evidence=about(len(both), cut))
        rule = "train followed by val must be all ids in their order."
        seen = [about(len(train), cut), about(len(val), n - cut), train[:2], len(val) > 1 and val[1] - val[0]]
        expect.true(f"all of {n}", train + val == ids.tolist(), rule=rule, evidence=seen)
        rule = f"Of {n} ids with val_fraction={fraction}, train should hold {cut}, not {len(train)}."
        expect.true(f"size of {n}", abs(len(train) - cut) <= 1, rule=rule, evidence=about(len(train), cut))
    default = student.train.data.train_val_split(torch.arange(200))
    expect.true("the default is 0.1", abs(len(default[0]) - 180) <= 1, evidence=len(default[0]), rule="Default: a tenth.")


def about(length, cut):
    """The length, with one id more or less for a cut that was rounded another way taken as the cut."""
    return cut if abs(length - cut) <= 1 else length


def test_dataset(student, draw, expect):
    """train and val are encode(text), cut once; the vocabulary is that of the whole text."""
    text = "\n " + draw.text("abcdef \n", 400) + "Z \n"  # Z occurs in the validation part only
    from_text = student.train.data.TextDataset.from_text
    first = student.keep(from_text, text)
    holds_text(student, expect, "", first, text, 0.1)
    other = draw.text("xyz", 90)
    for fraction in (0.5, 0.25):
        dataset = student.keep(from_text, other, val_fraction=fraction)
        holds_text(student, expect, f" with val_fraction={fraction}", dataset, other, fraction)
    holds_text(student, expect, " after another dataset was made", first, text, 0.1)


def holds_text(student, expect, label, dataset, text, fraction):
    """train followed by val is encode(text), cut at the right place."""
    train, val = (
        whole_numbers(expect, f"{name}{label}", student.value(getattr(dataset, name))) for name in ("train", "val")
    )
    if train is None or val is None:
        return
    size = student.value(dataset.tokenizer.vocab_size)
    expect.equal(f"vocab_size{label}", size, len(set(text)), rule="The vocabulary is that of the whole text.")
    ids = torch.as_tensor(dataset.tokenizer.encode(text))
    cut = len(text) - int(len(text) * fraction)
    rule = "The training part holds validation text: a loss on val would be a memory test."
    expect.true(f"no validation text in train{label}", len(train) <= cut + 1, rule=rule, evidence=about(len(train), cut))
    rule = "train followed by val must be encode(text): nothing twice, nothing missing, nothing moved."
    seen = [about(len(train), cut), about(len(val), len(text) - cut)]
    expect.true(f"train + val{label}", torch.equal(torch.cat([train, val]), ids), rule=rule, evidence=seen)
    rule = f"Of {len(text)} characters with val_fraction={fraction}, train should hold {cut}, not {len(train)}."
    expect.true(f"size of train{label}", abs(len(train) - cut) <= 1, rule=rule, evidence=about(len(train), cut))


def are_ids(value):
    return isinstance(value, torch.Tensor) and value.ndim == 1 and value.dtype not in NOT_IDS


def whole_numbers(expect, name, value):
    """A 1-D tensor of ids as int64, whatever integer dtype it is kept in; None otherwise."""
    fine = are_ids(value)
    expect.true(name, fine, rule=f"{name} should be a 1-D tensor of ids.", evidence=fine)
    return value.to(torch.int64) if fine else None


def window_problem(x, y, ids):
    """A word for, and the reason why x, y are no windows of distinct ids with targets one step ahead; or None."""
    if torch.equal(y, x):
        return "copy", "y equals x: the targets are not the next token, and the model only has to copy."
    if torch.equal(y, x + 1):
        return "x + 1", "y is x + 1: the next number, where the id that comes next in ids is asked for."
    at_x, at_y = places(x, ids), places(y, ids)
    if bool((at_x < 0).any()) or bool((at_y < 0).any()):
        return "outside", "x or y holds numbers that are not in ids."
    if not bool((at_x[:, 1:] == at_x[:, :-1] + 1).all()):
        return "no window", "A row of x is not a window of neighbouring ids."
    if not bool((at_y == at_x + 1).all()):
        offsets = sorted(set((at_y - at_x).flatten().tolist()))[:4]
        return offsets, f"y should be the id that follows x, one step ahead; here it is {offsets} steps ahead."
    return None


def places(values, ids):
    """Where in ids (distinct numbers) each value stands; -1 for a number that is not there."""
    hits = values[..., None] == ids
    return torch.where(hits.any(-1), hits.to(torch.int64).argmax(-1), -1)


def test_batch_targets(student, draw, expect):
    """x and y are int64 (B, T); y[b, t] follows x[b, t] in ids."""
    ids = draw.permutation(61) + 100  # the next id is not the next number
    for batch_size, block_size in ((5, 7), (1, 3), (draw.integer(8, 11), 4), (3, 1)):
        what = f"{batch_size} x {block_size}"
        reply = student.train.data.get_batch(ids, batch_size, block_size)
        pair = isinstance(reply, list) and len(reply) == 2
        expect.true(f"a pair, {what}", pair, rule="get_batch returns the pair x, y.")
        if not pair:
            return
        for name, part in zip("xy", reply, strict=True):
            expect.tensor(f"{name}, {what}", part, shape=(batch_size, block_size), dtype=torch.int64)
        x, y = reply
        if not all(isinstance(part, torch.Tensor) and part.shape == (batch_size, block_size) for part in (x, y)):
            return
        problem = window_problem(x, y, ids)
        word, rule = problem or ("windows", "")
        expect.true(f"windows, {what}", problem is None, rule=rule, evidence=word)


def starts(student, n, batch_size, block_size, draws, seed):
    """The starts that get_batch draws, (draws, batch_size), seen from windows of ids 0..n-1."""
    generator = student.generator(seed)
    get_batch = student.train.data.get_batch
    replies = student.repeat(get_batch, draws, torch.arange(n), batch_size, block_size, generator)
    return torch.stack([reply[0][:, 0] for reply in replies])


def test_batch_starts(student, draw, expect):
    """All N - T starts are drawn, uniformly, each row for itself; none lies outside."""
    for n, block_size in ((12, 5), (9, 8), (31, 4)):
        drawn = starts(student, n, 50, block_size, 40, draw.seed())
        full = tuple(drawn.shape) == (40, 50)
        rule = f"A batch of 50 has {drawn.shape[1]} rows: windows may repeat, so any batch size can be filled."
        expect.true(f"rows from {n}", full, rule=rule, evidence=drawn.shape[1])
        counts = torch.bincount(drawn.flatten().clamp(0, n - 1), minlength=n)
        possible = n - block_size
        seen = counts.nonzero().flatten().tolist()
        never = sorted(set(range(possible)) - set(seen))
        rule = f"With {n} ids and block_size {block_size} the window at start {never[:1]} fits, but it is never drawn."
        expect.true(f"every start of {n}", not never, rule=rule, evidence=never)
        wrong = sorted(set(seen) - set(range(possible)))
        expect.true(f"no other start of {n}", not wrong, rule=f"Start {wrong[:1]} leaves no room.", evidence=wrong)
        uniform = torch.zeros(n)
        uniform[:possible] = 1 / possible
        rule = "Some windows are drawn more often than others; every valid start should be equally likely."
        strain = chi_square_strain(counts, uniform)
        expect.true(f"uniform over {n}", strain <= 1, rule=rule, record=False, strain=strain)
    possible, block_size = 480, 7
    drawn = starts(student, possible + block_size, 2, block_size, 400, draw.seed())
    apart = distance_bins(drawn[:, 0] - drawn[:, 1], possible)
    expected = distance_bins(torch.arange(possible), possible) / possible
    rule = "The rows of a batch are not drawn one by one: how far apart two of them start is not random."
    strain = chi_square_strain(apart, expected)
    expect.true("rows are independent", strain <= 1, rule=rule, record=False, strain=strain)


def distance_bins(differences, possible):
    """How many differences of starts fall in each of nine bins of their distance on a ring of possible starts."""
    around = differences.abs() % possible
    return torch.bincount(torch.minimum(around, possible - around) * 16 // possible, minlength=9)


def test_batch_generator(student, draw, expect):
    """The same generator seed gives the same batch, the next call another one; too short ids are refused."""
    ids, seed = torch.arange(500), draw.seed()
    get_batch = student.train.data.get_batch
    first = get_batch(ids, 6, 9, student.generator(seed))
    second = get_batch(ids, 6, 9, student.generator(seed))
    same = all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    expect.true("same seed, same batch", same, rule="The generator is ignored: two equal ones give different batches.")
    generator = student.generator(seed)
    rounds = [get_batch(ids, 6, 9, generator)[0] for _ in range(3)]
    moves = not torch.equal(rounds[0], rounds[1]) or not torch.equal(rounds[1], rounds[2])
    expect.true("the generator moves on", moves, rule="Every call gives the same batch: do not seed inside get_batch.")
    free = [get_batch(ids, 6, 9)[0] for _ in range(3)]
    moves = not torch.equal(free[0], free[1]) or not torch.equal(free[1], free[2])
    expect.true("without a generator", moves, rule="Without a generator every call gives the same batch.")
    rows = first[0][:, 0].unique().numel()
    expect.true("rows differ", rows > 1, rule="All rows of a batch are the same window.", evidence=rows)
    for n, block_size in ((5, 5), (3, 8), (0, 2)):
        rule = f"{n} ids hold no window of {block_size} with a target after it."
        expect.raises(f"{n} ids for {block_size}", ValueError, get_batch, torch.arange(n), 2, block_size, rule=rule)
    exact = student.batch(get_batch, [(torch.arange(6), 2, 5)])[0]
    fits = not isinstance(exact, StudentError)
    expect.true("6 ids for 5", fits, rule="6 ids hold exactly one window of 5 with its target; this must work.")


def new_model(student, size):
    model = student.model.bigram.BigramLanguageModel(size)
    model.eval()
    return model


def randomised(student, draw, size, scale):
    """A model with random parameters, however it keeps them, and its logits by token: float64 (V, V)."""
    model = new_model(student, size)
    generator = torch.Generator().manual_seed(draw.seed())
    old = student.get_parameters(model)
    student.set_parameters(model, [scale * torch.randn(p.shape, generator=generator) for p in old])
    return model, table_of(model, size)


def table_of(model, size):
    """The logits that each token gets when it stands alone: float64 (V, V)."""
    logits = model(torch.arange(size)[:, None])[0]
    return logits.double().reshape(size, -1)


def outputs(expect, what, reply, shape):
    """(logits, loss) of a forward pass after checking their form; None where the form is wrong."""
    pair = isinstance(reply, list) and len(reply) == 2
    expect.true(f"{what}: a pair", pair, rule="forward returns (logits, loss); the loss is None without targets.")
    if not pair:
        return None
    logits = reply[0]
    expect.tensor(f"{what}: logits", logits, shape=shape)
    return reply if isinstance(logits, torch.Tensor) and tuple(logits.shape) == shape else None


def test_logits(student, draw, expect):
    """(B, T, V), the same row for the same token wherever it stands."""
    size = 11
    model, _ = randomised(student, draw, size, 1.0)
    for batch, time in ((3, 5), (1, 1), (2, 17)):
        idx = draw.randint(0, size, (batch, time))
        reply = outputs(expect, f"{batch} x {time}", model(idx), (batch, time, size))
        if reply is None:
            return
        expect.equal(f"loss without targets, {batch} x {time}", reply[1], None)
    table = table_of(model, size)
    idx = draw.randint(0, size, (4, 9))
    logits = model(idx)[0]
    sums = logits.double().sum(-1)
    are_probabilities = bool((logits >= 0).all()) and bool(((sums - 1).abs() < 1e-4).all())
    rule = "forward returns probabilities (no number is negative, each row adds up to 1), but logits are asked for."
    expect.true("logits, not probabilities", not are_probabilities, rule=rule)
    reads = others_read(student, model, draw.randint(0, size, (2, 4)), size)
    rule = f"The logits at a position change with {' and '.join(reads)}; a bigram knows the current token alone."
    expect.true("what the logits depend on", not reads, rule=rule, evidence=reads)
    rule = "Row by row the logits should be those that each token gets when it stands alone."
    expect.close("logits", logits, table.to(logits.dtype)[idx], rule=rule, record=False)
    rows = torch.cdist(table, table).add(torch.eye(size)).min().item()
    expect.true("each token has its own row", rows > 1e-6, rule="Two tokens have the same logits.", evidence=rows > 1e-6)
    every = (torch.arange(size + 2) + 3 * torch.arange(4)[:, None]) % size  # each row holds each token
    targets = draw.randint(1, size, every.shape)
    reply = model(every, targets)
    expect.tensor("loss", reply[1] if isinstance(reply, list) and len(reply) == 2 else reply, shape=())
    student.zero_grad(model)
    with contextlib.suppress(StudentError):  # no way back from the loss: then there are no gradients, as judged below
        student.backward(model, every, targets, pick=1)
    gradients = [torch.zeros(()) if g is None else g for g in student.gradients(model)]
    rule = "The loss reaches no parameter: what the model learns with must be registered."
    reached = any(bool(g.ne(0).any()) for g in gradients)
    expect.true("gradient", reached, rule=rule, evidence=[len(gradients) > 0, reached])
    student.set_parameters(model, [p - g for p, g in zip(student.get_parameters(model), gradients, strict=True)])
    still = [i for i, moved in enumerate((table_of(model, size) - table).abs().amax(-1).tolist()) if moved < 1e-5]
    rule = f"A step down the gradient leaves the logits of token {still[:1]} as they were: it can never learn."
    expect.true("every token learns", not still, rule=rule, evidence=still)


def others_read(student, model, idx, size):
    """What else than the current token moves the logits at a position, in words."""
    base = model(idx)[0]
    calls, cells = [], [(row, place) for row in range(idx.shape[0]) for place in range(idx.shape[1])]
    for row, place in cells:
        other = idx.clone()
        other[row, place] = (idx[row, place] + 1) % size
        calls.append((other,))
    found = set()
    for (row, place), reply in zip(cells, student.batch(model, calls), strict=True):
        moved = (reply[0] - base).abs().amax(-1) > 1e-6
        moved[row, place] = False  # this one may
        words = {"earlier tokens": moved[row, place:], "later tokens": moved[row, :place]}
        words["other rows"] = torch.cat([moved[:row], moved[row + 1 :]])
        found |= {word for word, part in words.items() if bool(part.any())}
    same = model(torch.full((2, 6), 3))[0]
    if not torch.allclose(same, same[:1, :1].expand_as(same), atol=1e-6) and not found:
        found.add("its place")
    return sorted(found)


def test_loss(student, draw, expect):
    """F.cross_entropy of the returned logits, mean over B * T."""
    size, shape = 13, (3, 7)
    for name, scale in (("with mild logits", 1.0), ("with confident logits", 8.0)):
        model, _ = randomised(student, draw, size, scale)
        idx, targets = draw.randint(0, size, shape), draw.randint(0, size, shape)
        targets[0, 0], targets[-1, -1] = 0, size - 1  # id 0 is a character like all others
        reply = outputs(expect, name, model(idx, targets), (*shape, size))
        if reply is None:
            return
        logits, loss = reply
        expect.tensor(f"loss {name}", loss, shape=())
        if not isinstance(loss, torch.Tensor):
            return
        expected = F.cross_entropy(logits.flatten(0, 1).double(), targets.flatten()).item()
        guesses = other_losses(logits.double(), targets)
        given = float(loss) if loss.numel() == 1 else math.nan
        close = abs(given - expected) <= 1e-5 * (1 + abs(expected))
        like = next((what for what, value in guesses.items() if abs(given - value) <= 1e-5 * (1 + abs(value))), "none")
        rule = f"The loss is {given:.4f}; the mean cross-entropy of these logits is {expected:.4f}."
        expect.true(f"value {name}", close, rule=rule, evidence="right" if close else given if like == "none" else like)


def other_losses(logits, targets):
    """What well-known slips give instead of the mean cross-entropy."""
    size = logits.shape[-1]
    flat, right = logits.flatten(0, 1), targets.flatten()
    swapped = targets.T.reshape(-1)
    return {
        "probabilities": F.cross_entropy(flat.softmax(-1), right).item(),
        "log-probabilities of probabilities": F.nll_loss(flat.softmax(-1), right).item(),
        "transposed targets": F.cross_entropy(flat, swapped).item(),
        "transposed logits": F.cross_entropy(logits.transpose(0, 1).reshape(-1, size), right).item(),
        "sum": F.cross_entropy(flat, right, reduction="sum").item(),
        "sum over time": F.cross_entropy(flat, right, reduction="sum").item() / len(logits),
        "last position": F.cross_entropy(logits[:, -1], targets[:, -1]).item(),
        "bits": F.cross_entropy(flat, right).item() / math.log(2),
        "negative": -F.cross_entropy(flat, right).item(),
        "perplexity": math.exp(min(50.0, F.cross_entropy(flat, right).item())),
        "reshaped": F.cross_entropy(logits.reshape(-1, size), right).item(),
        "shifted": F.cross_entropy(logits[:, :-1].flatten(0, 1), targets[:, 1:].flatten()).item(),
        "id 0 ignored": F.cross_entropy(flat, right, ignore_index=0).item(),
        "class dimension": F.cross_entropy(logits.reshape(len(logits), size, -1), targets).item(),
    }


def test_generate(student, draw, expect):
    """(B, T + n), the prompt kept, each new token drawn from the softmax of the logits of the one before."""
    size, rows, new = 7, 2000, 9
    model, table = randomised(student, draw, size, 1.2)
    prompt = draw.randint(0, size, (rows, 3))
    seeded = student.generator(draw.seed())
    for label, options in (("", {"generator": seeded}), (" without a generator", {})):
        out = model.generate(prompt, new, **options)
        if not continues(expect, label, out, prompt, new, size):
            return
        seen, rule, strain = sampling_verdict(out, table, new)
        expect.true(f"distribution{label}", seen == "softmax", rule=rule, evidence=seen, strain=strain)
    few = prompt[:50]
    first = model.generate(few, new, generator=student.generator(99))
    same = torch.equal(model.generate(few, new, generator=student.generator(99)), first)
    expect.true("generator", same, rule="The generator is ignored: two equal ones give different text.", evidence=same)
    moves = not torch.equal(model.generate(few, new, generator=seeded), model.generate(few, new, generator=seeded))
    expect.true("the generator moves on", moves, rule="Two calls with one generator give the same text.", evidence=moves)
    moves = not torch.equal(model.generate(few, new), model.generate(few, new))
    expect.true("new text each time", moves, rule="Without a generator every call gives the same text.", evidence=moves)
    nothing = model.generate(few, 0)
    rule = "With max_new_tokens=0 the prompt comes back as it is."
    expect.true("no new token", isinstance(nothing, torch.Tensor) and torch.equal(nothing, few), rule=rule)


def continues(expect, label, out, prompt, new, size):
    """Whether out is prompt and `new` more ids, int64, all in the vocabulary."""
    shape = len(prompt), prompt.shape[1] + new
    expect.tensor(f"generate{label}", out, shape=shape, dtype=torch.int64)
    if not isinstance(out, torch.Tensor) or tuple(out.shape) != shape or out.dtype != torch.int64:
        return False
    kept = torch.equal(out[:, : prompt.shape[1]], prompt)
    expect.true(f"prompt{label}", kept, rule="The result starts with the prompt, unchanged.")
    inside = bool(((out >= 0) & (out < size)).all())
    expect.true(f"ids{label}", inside, rule="generate returns ids that are not in the vocabulary.")
    return inside


def sampling_verdict(out, table, new):
    """'softmax', or what the new tokens look like instead; what to say about it; the strain."""
    size = len(table)
    before, after = out[:, -new - 1 : -1].flatten(), out[:, -new:].flatten()
    counts = pair_counts(before, after, size)
    strain = strain_of(counts, table.softmax(-1))
    if strain <= 1:
        return "softmax", "", strain
    like = next((name for name, p in sampling_slips(table).items() if explains(counts, p)), "none")
    first = pair_counts(out[:, :1].expand(-1, new).flatten(), after, size)
    if like == "none" and explains(first, table.softmax(-1)):
        like = "first token"
    rule = "The new tokens do not follow softmax(logits) of the token before them."
    if like == "argmax":
        rule = "Every token is followed by its most likely successor, always: that is argmax, not sampling."
    return [like, counts.tolist() if like == "none" else None], rule, strain


def pair_counts(before, after, size):
    """How often each token followed each other one: (V, V)."""
    return torch.bincount(before * size + after, minlength=size * size).reshape(size, size)


def explains(counts, probabilities):
    return strain_of(counts, probabilities) <= 1


def strain_of(counts, probabilities):
    """How far counts (V, V) of pairs are from probabilities (V, V) of the second given the first; 1 is too far."""
    expected = counts.sum(-1, keepdim=True) * probabilities
    return chi_square_strain(counts.flatten(), expected.flatten() / counts.sum())


def sampling_slips(table):
    size = len(table)
    return {
        "argmax": F.one_hot(table.argmax(-1), size).double(),
        "uniform": torch.full((size, size), 1 / size, dtype=torch.float64),
        "softmax over the wrong dimension": (table.softmax(0) / table.softmax(0).sum(-1, keepdim=True)),
        "sharpened": (2 * table).softmax(-1),
        "flattened": (table / 2).softmax(-1),
        "absolute logits": table.abs() / table.abs().sum(-1, keepdim=True),
        "softmax of softmax": table.softmax(-1).softmax(-1),
        "exp of probabilities": table.sigmoid() / table.sigmoid().sum(-1, keepdim=True),
        "shifted logits": above_zero(table) / above_zero(table).sum(-1, keepdim=True),
        "negative logits": (-table).softmax(-1),
        "positive logits": table.clamp_min(0) / table.clamp_min(0).sum(-1, keepdim=True).clamp_min(1e-9),
    }


def above_zero(table):
    return table - table.amin(-1, keepdim=True)


def test_mean_loss(student, draw, expect):
    """Equal to the mean over all N - 1 pairs of neighbours, whatever N and block_size."""
    size = 9
    model, table = randomised(student, draw, size, 1.5)
    for n, block_size in ((50, 8), (41 + draw.integer(0, 5), 7), (9, 8), (5, 8), (2, 3)):
        ids = draw.randint(0, size, (n,))
        ids[0] = draw.integer(0, size - 1)
        value = student.train.baseline.mean_loss(model, ids, block_size)
        expected = F.cross_entropy(table[ids[:-1]], ids[1:]).item()
        is_float = isinstance(value, float)
        expect.true(f"a float, {n} ids", is_float, rule="mean_loss returns a Python float.", evidence=type(value).__name__)
        close = is_float and abs(value - expected) <= 1e-5 * (1 + expected)
        rule = f"Over {n} ids in blocks of {block_size} the mean of the {n - 1} losses is {expected:.5f}, not {value}."
        like = mean_slip(table, ids, block_size, value) if not close and is_float else "right"
        expect.true(f"mean over {n}", close, rule=rule, evidence=like)

    ids = draw.randint(0, size, (29,))
    value = student.train.baseline.mean_loss(model, ids)
    expected = F.cross_entropy(table[ids[:-1]], ids[1:]).item()
    close = isinstance(value, float) and abs(value - expected) <= 1e-5 * (1 + expected)
    expect.true("without block_size", close, rule="mean_loss works without block_size, too: its default is 8.")


def mean_slip(table, ids, block_size, value):
    """Which way of losing positions gives the student's value."""
    losses = F.cross_entropy(table[ids[:-1]], ids[1:], reduction="none")
    blocks = losses.split(block_size)
    whole = [block for block in blocks if len(block) == block_size]
    slips = {
        "mean of block means": torch.stack([block.mean() for block in blocks]).mean(),
        "sum": losses.sum(),
        "bits": losses.mean() / math.log(2),
        "divided by N": losses.sum() / len(ids),
        "first block only": blocks[0].mean(),
        "last of each block": torch.stack([block[-1] for block in blocks]).mean(),
    }
    if whole:
        slips["last block dropped"] = torch.cat(whole).mean()
        slips["last block dropped, divided by all"] = torch.cat(whole).sum() / len(losses)
    overlapping = [losses[i : i + block_size] for i in range(0, max(1, len(losses) - block_size + 1))]
    slips["overlapping windows"] = torch.cat(overlapping).mean()
    pairs = [losses[i : i + block_size] for i in range(0, len(losses), block_size + 1)]
    slips["one pair lost between blocks"] = torch.cat(pairs).mean()
    return next((name for name, slip in slips.items() if abs(float(slip) - value) <= 1e-5 * (1 + abs(value))), value)


def markov_ids(draw, size, n):
    """ids (n,) of a random Markov chain, and its transition table (V, V)."""
    transitions = (2.0 * draw.randn(size, size)).softmax(-1)
    cumulative = transitions.cumsum(-1)
    uniform = draw.rand(n).tolist()
    rows = cumulative.tolist()
    ids, current = [], 0
    for u in uniform:
        row = rows[current]
        current = next((i for i, c in enumerate(row) if u < c), size - 1)
        ids.append(current)
    return torch.tensor(ids), transitions


def bigram_loss(table, ids):
    """Mean loss of logits (V, V) on ids (N,)."""
    return F.cross_entropy(table[ids[:-1]], ids[1:]).item()


def progress(loss, ceiling, start, table, val):
    """How far training came, in words coarse enough to be the same in every style."""
    if loss <= ceiling:
        return "learned"
    before = bigram_loss(start, val)
    moved = (table - start).abs().max().item()
    size = next(word for bound, word in ((1e-6, "nothing"), (0.3, "little"), (math.inf, "much")) if moved <= bound)
    direction = "worse" if loss > before + 0.3 else "better" if loss < before - 0.1 else "as before"
    return [f"moved {size}", direction, "near" if loss < ceiling + 0.25 else "far"]


def test_train_bigram(student, draw, expect):
    """On text from a known chain training comes near the chain's own loss; on one window it ends at the counts."""
    size = 9
    ids, transitions = markov_ids(draw, size, 6000)
    train, val = ids[:5000], ids[5000:]
    floor = bigram_loss(transitions.log(), val)
    seed = draw.integer(1, 10**6)
    options = {"steps": 500, "batch_size": 16, "block_size": 8, "learning_rate": 3e-2, "seed": seed}
    model = student.train.baseline.train_bigram(train, size, **options)
    is_model = isinstance(model, Ref)
    expect.true("returns the model", is_model, rule="train_bigram returns the trained model.", evidence=type(model).__name__)
    if not is_model:
        return

    def trained(data, **changed):
        """The table after a run with these options."""
        return table_of(student.train.baseline.train_bigram(data, size, **(options | changed)), size)

    table = table_of(model, size)
    loss = bigram_loss(table, val)
    ceiling = floor + 0.12  # honest runs end 0.01 above, a product of two factors up to 0.06
    rule = f"After 500 steps the loss on new text is {loss:.3f}; counting pairs would give about {floor + 0.02:.3f}."
    seen = progress(loss, ceiling, trained(train, steps=1), table, val)
    expect.true("it learns", loss <= ceiling, rule=rule, evidence=seen)
    short = trained(train, steps=20)
    early = bigram_loss(short, val)
    rule = "20 steps give as good a model as 500: the number of steps is ignored."
    expect.true("more steps, lower loss", early > loss + 0.02, rule=rule, evidence=early > loss + 0.02)
    if early <= ceiling:
        return  # whatever the steps, each of the many runs below would take as long as it likes
    window = telling_window(train, 12)  # all of the text: each batch is the same, and training has an exact end
    fit = bigram_loss(trained(window, batch_size=14, block_size=12), window)
    best = counted_loss(window, size)
    rule = f"On a text of one window training should end at its counted pairs, loss {best:.3f}, but it is at {fit:.3f}."
    expect.true("it ends at the counts", fit <= best + 0.04, rule=rule, evidence=fit <= best + 0.04)
    touched = [parts_touched(trained, seed + i, size) for i in range(4)]
    missed = sorted({0, 1, 2} - touched[0])
    rule = "Of a text with three parts, training never saw a window of some; every window should have its chance."
    seen = [bool(missed), len(set.union(*touched)) > 1]
    expect.true("it sees the whole text", not missed, rule=rule, evidence=seen)
    first = trained(train, steps=1, learning_rate=1e-12)
    new_model(student, size + 1)  # uses up some of the process's randomness, which a seeded run must not notice
    repeats = torch.equal(trained(train, steps=20), short)
    new_model(student, size + 1)
    begins_alike = bool((trained(train, steps=1, learning_rate=1e-12) - first).abs().max() < 1e-6)
    rule = "Two runs with the same seed give different models: seed before the model is made and for the batches."
    expect.true("the seed repeats a run", repeats, rule=rule, evidence=[repeats, begins_alike])
    differs = not torch.equal(trained(train, steps=20, seed=seed + 1), short)
    expect.true("another seed gives another run", differs, rule="The seed argument has no effect.", evidence=differs)
    for option, value in (("batch_size", 5), ("block_size", 3), ("learning_rate", 3e-3)):
        differs = not torch.equal(trained(train, steps=20, **{option: value}), short)
        expect.true(option, differs, rule=f"{option} is ignored: another one gives the very same model.", evidence=differs)


def telling_window(ids, block_size):
    """The first block_size + 1 ids that end in a pair of a token seen once, and not as they began."""
    for window in ids.unfold(0, block_size + 1, 1):
        if window[-1] != window[0] and int((window[:-1] == window[-2]).sum()) == 1:
            return window
    raise ValueError(f"these {len(ids)} ids hold no such window of {block_size}")


def parts_touched(trained, seed, size):
    """Which thirds of a text, each in characters of its own, a run moves the logits of."""
    third = size // 3
    ids = torch.cat([part * third + torch.arange(600) % third for part in range(3)])
    options = {"batch_size": 1, "block_size": 8, "seed": seed}
    start, end = trained(ids, steps=1, **options | {"learning_rate": 1e-12}), trained(ids, steps=100, **options)
    moved = (end - start).abs().reshape(3, -1).amax(-1)
    return {part for part in range(3) if moved[part] > 0.3}


def counted_loss(ids, size):
    """The mean loss of the table counted from ids, on the same ids: no bigram model is better there."""
    pairs = torch.bincount(ids[:-1] * size + ids[1:], minlength=size * size).reshape(size, size).double()
    shares = pairs / pairs.sum(-1, keepdim=True)
    return -torch.xlogy(pairs, shares).nansum().item() / (len(ids) - 1)
