"""Judges what a study says of its models: speed, memory, sample, fit, and the two files."""

import json
import math

import torch

from autograder.grading.expect import is_close

from .note_reading import numbers
from .power_laws import FEWEST_FOR_INTERVAL, ends, expect_fitted, is_fitted, line_through
from .real_training import expect_real
from .repeated_study import FEW, FOLLOWS, OUT, SIZES, Study, V, short
from .returned_values import as_number, shown

# How many times faster or slower than training again a reported speed may be. Evaluating and writing checkpoints
# takes time too, a busy machine is uneven, and a speed in windows or per millisecond is off by more.
SPEED_FACTOR = 12
BYTES_PER_WEIGHT = 16  # weight, gradient and the two moments of AdamW, 4 bytes each
MOST_BYTES = 3 * 2**30  # what the submission's process may use in this milestone
FEWEST_TOKENS = 100  # of a sample, as run_scaling_study's docstring says
# In nats per token. The finished model's own text has about 1; that of an untrained model about ln 11 = 2.4.
MOST_SURPRISING = 1.8
MOST_BYTES_OF_A_REPORT = 200_000
ROUNDED_COUNT = 0.01  # 10.8 million is a fair way to write 10,795,776
ROUNDED_LOSS = 0.00051  # half a unit of the third decimal, and a little for binary fractions
BOTH = "both"  # numbers of a size in one row of report.md


def test_study_speed_memory(student, draw, expect):
    """tokens_per_second agrees with the time that training takes here; the peak holds weights and optimizer."""
    sizes = [size | {"block_size": 32} for size in SIZES[:2]]
    sizes.append(sizes[1] | {"n_embd": 64})  # wide enough that kilobytes cannot pass for bytes
    steps, batch_size, block_size = 20, 16, 32
    study = Study(
        student, draw, expect, sizes=sizes, steps=steps, batch_size=batch_size, block_size=block_size, eval_batches=1,
        eval_interval=steps, follows_in_validation=FOLLOWS,
    )  # fmt: skip
    entries = study.entries()
    _, _, seconds = study.retrain(len(sizes) - 1)
    speeds = [speed_of(expect, entry, number) for number, entry in enumerate(entries, start=1)]
    expect_speed(expect, speeds[-1], steps * batch_size * block_size, seconds)
    for number, (entry, size) in enumerate(zip(entries, sizes, strict=True), start=1):
        expect_peak(expect, entry, size, number)
    expect_real(study, draw)


def speed_of(expect, entry, number):
    given = entry.get("tokens_per_second")
    speed = as_number(given)
    expect.need(
        f"tokens_per_second of size {number} is a positive number",
        speed is not None and math.isfinite(speed) and speed > 0,
        rule="tokens_per_second must be a positive number.",
        saw=f"tokens_per_second of size {number} is {shown(given)}.",
    )
    return speed


def expect_speed(expect, speed, tokens, seconds):
    """The speed and the seconds that training took again agree."""
    claimed = tokens / speed
    position = within(claimed, seconds / SPEED_FACTOR, seconds * SPEED_FACTOR)
    expect.true(
        "the speed and the time of training agree",
        position == "within",
        rule="tokens_per_second must be tokens of training per second.",
        saw=f"At {speed:.4g} tokens per second the {tokens} tokens of the last size would take {claimed:.3g} s."
        f" Training it again took {seconds:.3g} s.",
        evidence=position,
    )


def expect_peak(expect, entry, size, number):
    """The peak holds at least what training needs for the matrices of the blocks alone."""
    given = entry.get("peak_memory_bytes")
    least = BYTES_PER_WEIGHT * 12 * size["n_layer"] * size["n_embd"] ** 2
    position = within(as_number(given), least, MOST_BYTES)
    expect.true(
        f"peak_memory_bytes of size {number} is plausible",
        position == "within",
        rule="peak_memory_bytes must count, in bytes, what torch allocates: weights, gradients and AdamW's two moments,"
        " at least.",
        saw=f"peak_memory_bytes of size {number} is {shown(given)}. Weights, gradients and moments alone take"
        f" {least:,} bytes.",
        evidence=position,
    )


def within(number, low, high):
    """Where a number lies, in a word that holds on every machine."""
    if number is None or math.isnan(number):
        return "not a number"
    if low <= number <= high:
        return "within"
    return "below" if number < low else "above"


def grams(ids, n):
    return [tuple(ids[start : start + n]) for start in range(len(ids) - n + 1)]


def share_of_different(items):
    return len(set(items)) / len(items)


def test_study_samples(student, draw, expect):
    """distinct_2 and repetition are recomputed from the sample, and the sample's likelihood from a retrained model."""
    study = Study(student, draw, expect, eval_interval=40, eval_batches=2)
    entries = study.entries()
    for number, entry in enumerate(entries, start=1):
        sample = sample_of(expect, entry, number)
        distinct, fours = share_of_different(grams(sample, 2)), share_of_different(grams(sample, 4))
        rule = "distinct_2 must be the different pairs of adjacent tokens in the sample over all its pairs."
        expect_score(expect, f"distinct_2 of size {number}", entry.get("distinct_2"), distinct, sample, 2, rule)
        rule = "repetition must be the share of the sample's 4-grams that repeat an earlier one."
        expect_score(expect, f"repetition of size {number}", entry.get("repetition"), 1 - fours, sample, 4, rule)
    model, _, _ = study.retrain(len(entries) - 1)
    surprise = study.loss(model, torch.tensor(entries[-1]["sample"], dtype=torch.int64), "the sample")
    expect.true(
        "the last sample is the finished model's",
        surprise <= MOST_SURPRISING,
        rule="The finished model must have written the sample.",
        saw=f"A model trained again finds the last sample surprising: {surprise:.3g} nats per token. Its own text has"
        " about 1.",
    )
    expect_real(study, draw)


def sample_of(expect, entry, number):
    sample = entry.get("sample")
    length = len(sample) if isinstance(sample, list) else 0
    expect.need(
        f"the sample of size {number} is a list of token ids, long enough",
        length >= FEWEST_TOKENS and all(type(token) is int and 0 <= token < V for token in sample),
        rule=f"A sample must be a list of at least {FEWEST_TOKENS} token ids, each an int from 0 to vocab_size - 1.",
        saw=f"The sample of size {number} has {length} tokens: {shown(sample)}.",
        evidence=min(length, FEWEST_TOKENS),
    )
    return sample


def expect_score(expect, what, given, expected, sample, n, rule):
    """The evidence says in words which score was given: the numbers depend on the sample, and so on the machine."""
    every = grams(sample, n)
    side_by_side = share_of_different(every[::n])
    candidates = {
        "right": expected,
        "its complement": 1 - expected,
        "of single tokens": share_of_different(sample),
        "of n-grams side by side": side_by_side,
        "of n-grams side by side, its complement": 1 - side_by_side,
    }
    score = as_number(given)
    expect.true(
        f"{what} is that of its sample",
        score is not None and is_close(score, expected, tol="sums"),
        rule=rule,
        saw=f"{what} is {shown(given)}; counted from its sample it is {expected:.4f}.",
        evidence="none" if score is None else expect.which_fits(score, candidates, tol="sums") or "something else",
    )


def test_study_fit(student, draw, expect):
    """The fit belongs to the reported parameters and losses; three sizes give no interval, five give one."""
    for sizes in (SIZES, [*SIZES, *(size | {"n_layer": 3} for size in SIZES[:2])]):
        study = Study(student, draw, expect, sizes=sizes, **FEW, **short(draw))
        of = f"{len(sizes)} sizes"
        x, y = reported_points(expect, study.entries(of), of)
        fit = study.returned.get("fit")
        rule, saw = 'The study must have a dict "fit".', f'For {of} "fit" is {shown(fit)}.'
        expect.need(f'"fit" for {of} is a dict', isinstance(fit, dict), rule=rule, saw=saw)
        line = line_through(x, y)
        for name, expected in (("exponent", line.exponent), ("coefficient", line.coefficient)):
            rule = f"The fit's {name} must be that of fit_power_law(parameters, val_loss), as reported."
            what = f"the {name} for {of}"
            expect_fitted(expect, what, fit.get(name), expected, rule=rule, evidence=kind_of(fit.get(name), expected))
        has_right_interval = (
            fit.get("interval", "missing") is None
            if len(sizes) < FEWEST_FOR_INTERVAL
            else ends(fit.get("interval")) is not None
        )
        expect.true(
            f"the interval for {of} is that of fit_power_law",
            has_right_interval,
            rule="The fit's interval must be None for fewer than 5 sizes and a pair (low, high) for 5 or more.",
            saw=f"For {of} the fit's interval is {shown(fit.get('interval', 'missing'))}.",
        )
    expect_real(study, draw)


def reported_points(expect, entries, of):
    """The parameters and the losses as two lists of positive numbers."""
    for key in ("parameters", "val_loss"):
        values = [entry.get(key) for entry in entries]
        found = [as_number(value) for value in values]
        expect.need(
            f"{key} of each of {of} is a positive number",
            all(number is not None and number > 0 for number in found),
            rule=f"{key} must be a positive number for each size.",
            saw=f"{key} of the {of}: {', '.join(map(shown, values))}.",
        )
        yield found


def kind_of(given, expected):
    """What tells wrong fits apart, without a digit that depends on the machine."""
    number = as_number(given)
    if number is None:
        return "none"
    if is_fitted(number, expected):
        return "fits"
    return "other sign" if number * expected < 0 else "other value"


def test_study_files(student, draw, expect):
    """study.json is what was returned; report.md has a row for each size with its parameters and val_loss."""
    study = Study(student, draw, expect, **FEW, **short(draw))
    entries = study.entries()
    written = read_json(expect, file_of(student, expect, "study.json"))
    expect.true(
        "study.json is the returned study",
        equal_as_json(written, study.returned),
        rule="study.json must hold the very dict that run_scaling_study returns.",
        saw="study.json holds something else than the dict that was returned.",
    )
    text = file_of(student, expect, "report.md")[:MOST_BYTES_OF_A_REPORT].decode("utf-8", "replace")
    rows = [line for line in text.splitlines() if line.lstrip().startswith("|")]
    for number, entry in enumerate(entries, start=1):
        parameters, loss = entry.get("parameters"), entry.get("val_loss")
        told = told_by(rows, as_number(parameters), as_number(loss))
        expect.true(
            f"report.md has a row for size {number}",
            told == BOTH,
            rule="report.md must have a table row for each size, with its parameters and its val_loss (3 decimals).",
            saw=f"Size {number} has {shown(parameters)} parameters and the val_loss {shown(loss)}. The rows of"
            f" report.md give {told}.",
            evidence=told,
        )
    expect_real(study, draw)


def file_of(student, expect, name):
    """The content of a file in out_dir, bytes."""
    path = f"{OUT}/{name}"
    content = student.files.get(path) if path in student.files.list() else b""
    expect.need(
        f"{name} is there",
        isinstance(content, bytes) and len(content) > 0,
        rule=f"run_scaling_study must write {name} into out_dir.",
        saw=f"{name} is missing, or it is empty.",
    )
    return content


def read_json(expect, content):
    try:
        written = json.loads(content)
    except ValueError:  # bytes that are not text, or text that is not JSON
        written = None
    rule = "study.json must be valid JSON."
    expect.need("study.json is JSON", written is not None, rule=rule, saw="study.json can't be read as JSON.")
    return written


def equal_as_json(a, b):
    """Whether a, read from JSON, says the same as b: keys are strings there, and NaN equals NaN."""
    if isinstance(a, dict) and isinstance(b, dict):
        return {str(key) for key in b} == set(a) and all(equal_as_json(a[str(key)], value) for key, value in b.items())
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(equal_as_json, a, b))
    x, y = as_number(a), as_number(b)
    if x is not None and y is not None:
        return is_close(x, y) or (math.isnan(x) and math.isnan(y))
    return type(a) is type(b) and a == b


def told_by(rows, parameters, loss):
    """Which of the two numbers a row has a cell with, in words; the loss must be right to three decimals."""
    if parameters is None or loss is None:
        return "neither"
    found = [cell_numbers(row) for row in rows]
    counts = [any(abs(number - parameters) <= ROUNDED_COUNT * parameters for number in row) for row in found]
    losses = [any(abs(number - loss) <= ROUNDED_LOSS for number in row) for row in found]
    if any(count and loss for count, loss in zip(counts, losses, strict=True)):
        return BOTH
    if any(counts) and any(losses):
        return "the two in different rows"
    if any(counts):
        return "its parameters only"
    return "its val_loss only" if any(losses) else "neither"


def cell_numbers(row):
    return [number for cell in row.strip().strip("|").split("|") for number in numbers(cell)]
