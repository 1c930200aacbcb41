"""Judges how a study was made: equal conditions, curves that retraining gives, and whose loss is reported."""

import math

from autograder.grading.expect import is_close

from .layout import expect_count, own_layout
from .real_training import expect_real
from .repeated_study import FEW, SIZES, Study, short
from .returned_values import as_number, shown

LOSSES = "train_loss", "val_loss"
# In nats. An estimate from 30 batches of 8 x 16 tokens has a standard error of about 0.03, and the two splits' losses
# are further apart than twice this.
NEAR = 0.2
# In nats. For a word only: two runs of one size with other seeds end nearer to each other.
ANOTHER_SEED = 0.15

EQUAL = (
    "Each size must be trained by `train` on the given ids with the given config, after torch.manual_seed(config.seed)"
    " and GPT(size). So training it again must give the reported curve."
)
ROWS = "The curve of a size must be the list of rows, each a dict, that `train` returned."


def test_study_conditions(student, draw, expect):
    """The manifest says what was equal, and each size its configuration, parameters, FLOPs and tokens."""
    layout = own_layout(student, expect)
    # Not in the order of their sizes: entries are matched with configurations by position.
    sizes = [SIZES[1], SIZES[0], SIZES[2]]
    study = Study(student, draw, expect, sizes=sizes, **FEW, **short(draw), accumulation_steps=2)
    entries = study.entries()
    expect_shared(expect, study)
    factors = ("steps", "accumulation_steps", "batch_size", "block_size")
    tokens = math.prod(study.training[name] for name in factors)
    for number, (entry, size) in enumerate(zip(entries, sizes, strict=True), start=1):
        of = f"of size {number}"
        rule = "config must be the GPTConfig, field by field, and the entries must be in the order of `configs`."
        expect.equal(f"config {of}", entry.get("config"), size, rule=rule)
        rule = "parameters must be count_parameters of the size."
        expect_count(expect, f"parameters {of}", entry.get("parameters"), layout.parameters(size), rule)
        rule = "flops_per_token must be the function's value for the size."
        expect_count(expect, f"flops_per_token {of}", entry.get("flops_per_token"), layout.flops(size), rule)
        rule = "tokens must be steps x accumulation_steps x batch_size x block_size, the same for each size."
        expect.equal(f"tokens {of}", entry.get("tokens"), tokens, rule=rule)
    expect_real(study, draw)


def expect_shared(expect, study):
    """The study's "shared" holds the settings that were equal, and how many ids there were."""
    shared = study.returned.get("shared")
    rule = 'The study must have a dict "shared" that says what was equal for all sizes.'
    saw = f'"shared" is {shown(shared)}.'
    expect.need('"shared" is a dict', isinstance(shared, dict), rule=rule, saw=saw)
    for name in ("steps", "batch_size", "block_size", "accumulation_steps", "seed"):
        expect.equal(f'{name} in "shared"', shared.get(name), study.training[name], rule=rule)
    for name, ids in (("train_tokens", study.train_ids), ("val_tokens", study.val_ids)):
        expect.equal(f'{name} in "shared"', shared.get(name), len(ids), rule=rule)


def test_study_curves(student, draw, expect):
    """Every size, trained again under the stated conditions, gives the reported rows."""
    study = Study(student, draw, expect, eval_batches=4, steps=24)
    for index, entry in enumerate(study.entries()):
        _, rows, _ = study.retrain(index)
        expect_curve(expect, f"size {index + 1}", entry.get("curve"), rows)
    expect_real(study, draw)


def expect_curve(expect, size, reported, rows):
    """The reported rows have the steps and losses of the rows that training again gave."""
    usable = is_rows(rows) and all(as_number(row.get(key)) is not None for row in rows for key in LOSSES)
    rule = "`train` must return rows with a train_loss and a val_loss; `make grade M=6` says more."
    saw = f"Training {size} again returned {shown(rows)}."
    expect.need(f"training {size} again returns rows with losses", usable and len(rows) > 0, rule=rule, saw=saw)
    saw = f"The curve of {size} is {shown(reported)}."
    expect.need(f"the curve of {size} is a list of dicts", is_rows(reported), rule=ROWS, saw=saw)
    steps_were, steps_are = column(reported, "step"), column(rows, "step")
    expect.equal(f"the list of steps in the curve of {size}", steps_were, steps_are, rule=EQUAL)
    for key in LOSSES:
        was, now = column(reported, key), column(rows, key)
        expect.true(
            f"each {key} in the curve of {size} is that of training it again",
            is_close(was, now, tol="sums"),
            rule=EQUAL,
            saw=f"The curve of {size} has the {key} {listed(was)}; training it again gives {listed(now)}.",
            evidence=distance(was, now),
        )


def is_rows(rows):
    return isinstance(rows, list) and all(isinstance(row, dict) for row in rows)


def column(rows, key):
    return [as_number(row.get(key)) for row in rows]


def listed(numbers):
    return shown(", ".join(shown(number) for number in numbers))


def distance(was, now):
    """How the last losses compare, in words that hold on every machine."""
    if not was or was[-1] is None:
        return "none"
    if is_close(was[-1], now[-1], tol="sums"):
        return "equal"
    return "close" if abs(was[-1] - now[-1]) < ANOTHER_SEED else "far"


def test_study_val_loss(student, draw, expect):
    """val_loss is the finished model's loss on the validation ids, recomputed from a model that was trained again."""
    study = Study(student, draw, expect, eval_interval=20)
    entries = study.entries()
    for index in (0, len(entries) - 1):
        size = f"size {index + 1}"
        model, _, _ = study.retrain(index)
        on_val = study.loss(model, study.val_ids, f"val_ids, {size},")
        on_train = study.loss(model, study.train_ids, f"train_ids, {size},")
        given = entries[index].get("val_loss")
        source = origin(as_number(given), on_val, on_train)
        expect.true(
            f"val_loss of {size} is the finished model's on val_ids",
            source == VALIDATION,
            rule="val_loss must be the loss of the finished model on val_ids.",
            saw=f"val_loss of {size} is {shown(given)}. A model trained again has {on_val:.3f} on val_ids and"
            f" {on_train:.3f} on train_ids: the reported number is {source}.",
            evidence=source,
        )
    expect_real(study, draw)


VALIDATION = "the validation loss"


def origin(reported, on_val, on_train):
    """In words, what a reported loss fits."""
    if reported is None or math.isnan(reported):
        return "not a number"
    if abs(reported - on_val) <= NEAR:
        return VALIDATION
    if abs(reported - on_train) <= NEAR:
        return "the loss on the training tokens"
    if on_train < reported < on_val:
        return "between the two: a mixture of the splits, or not the finished model's"
    return "too high" if reported > on_val else "too low"
