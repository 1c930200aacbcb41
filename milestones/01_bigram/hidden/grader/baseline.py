"""Judges train/baseline.py: mean_loss against the exact mean, train_bigram on texts whose best loss is known."""

import torch
import torch.nn.functional as F

from autograder.grading.expect import is_close
from autograder.grading.student import Ref

from .slips import wrong_means
from .tables import new_model, randomised, table_of
from .texts import bigram_loss, counted_loss, markov_ids, telling_window, three_parts

SIZE = 9  # tokens in the vocabulary of each text
STEPS = 500
FEW_STEPS = 4  # so few that no honest run has learned the text; a product of two factors may have in 20
NEAR_THE_CHAIN = 0.12  # nats above the chain's own loss; honest runs end 0.01 above, other factors up to 0.06
NEAR_THE_COUNTS = 0.04  # nats above the counted pairs; honest runs end 0.01 above, with a schedule up to 0.037
MORE_IS_BETTER = 0.02  # nats that the other steps gain at the very least; honest runs gain many times that
TOUCHED = 0.3  # in 100 steps a logit of a part that is seen moves by 1 or more; weight decay moves the others by 0.1
STANDING_STILL = 1e-12  # a learning rate at which a run shows how it began

EVERY_PAIR = (
    "mean_loss must be the mean over all N - 1 pairs of neighbours, each counted once, in nats: a Python float."
)
DEFAULT_BLOCK = "mean_loss must work without block_size, too; its default is 8."
THE_MODEL = "train_bigram must return the trained model, and nothing else."
LEARNS = "Training must come near the loss of counting pairs on new text from the same source."
STEPS_COUNT = "`steps` must be the number of training steps: more of them must give a lower loss."
ENDS_AT_COUNTS = "On a text of one window training must end near its counted pairs, which no bigram model can beat."
WHOLE_TEXT = "Every window of the text must have its chance in every step."
REPEATS = "The same seed must give the same model: it must be set before the model is made, and for the batches."
SEED_COUNTS = "Another seed must give another model."
USED = "train_bigram must use each of its arguments."


def test_mean_loss(student, draw, expect):
    """Equal to the mean over all N - 1 pairs of neighbours, whatever N and block_size."""
    model, table = randomised(student, draw, SIZE, 1.5)
    mean_loss = student.train.baseline.mean_loss
    for n, block_size in ((50, 8), (41 + draw.integer(0, 5), 7), (9, 8), (5, 8), (2, 3)):
        ids = draw.randint(0, SIZE, (n,))
        value = mean_loss(model, ids, block_size)
        losses = F.cross_entropy(table[ids[:-1]], ids[1:], reduction="none")  # (N - 1,)
        known = {"right": losses.mean(), **wrong_means(losses, block_size)}
        what = f"mean_loss of {n} ids with block_size {block_size}"
        expect.note(f"{what} looks like", expect.which_fits(value, known, tol="f32"))
        expect.number(what, value, losses.mean().item(), tol="f32", rule=EVERY_PAIR, record=False)
    ids = draw.randint(0, SIZE, (29,))
    what = "mean_loss of 29 ids without block_size"
    expect.number(what, mean_loss(model, ids), bigram_loss(table, ids), tol="f32", rule=DEFAULT_BLOCK, record=False)
    same = mean_loss(model, ids) == mean_loss(model, ids)
    expect.note("mean_loss of the same ids is the same", same)


class Trainer:
    """Runs of train_bigram, seen as tables of logits (V, V); what a run does not say it takes from `options`."""

    def __init__(self, student, ids, options):
        self.ids, self.options = ids, options
        self._train_bigram = student.train.baseline.train_bigram

    def model(self):
        return self._train_bigram(self.ids, SIZE, **self.options)

    def table(self, ids=None, **changed):
        ids = self.ids if ids is None else ids
        return table_of(self._train_bigram(ids, SIZE, **(self.options | changed)), SIZE)

    def few_steps(self, **changed):
        return self.table(steps=FEW_STEPS, **changed)

    def beginning(self):
        return self.table(steps=1, learning_rate=STANDING_STILL)


def test_train_bigram(student, draw, expect):
    """On text from a known chain training comes near the chain's own loss; on one window it ends at the counts."""
    ids, transitions = markov_ids(draw, SIZE, 6000)
    train, val = ids[:5000], ids[5000:]
    options = {"steps": STEPS, "batch_size": 16, "block_size": 8, "learning_rate": 3e-2, "seed": draw.integer(1, 10**6)}
    trainer = Trainer(student, train, options)
    expect_learning(expect, trainer, val, bigram_loss(transitions.log(), val))
    expect_counts(expect, trainer)
    expect_whole_text(expect, trainer)
    expect_repeats(student, expect, trainer)
    expect_options(expect, trainer)


def expect_learning(expect, trainer, val, floor):
    """500 steps come near the chain's loss on new text, which is `floor`, and 20 steps don't."""
    model = trainer.model()
    kind = type(model).__name__  # a Ref stands for an object over there
    saw = f"train_bigram returned a {kind}."
    expect.need("train_bigram returns a model", isinstance(model, Ref), rule=THE_MODEL, saw=saw, evidence=kind)
    table = table_of(model, SIZE)
    loss, ceiling = bigram_loss(table, val), floor + NEAR_THE_CHAIN
    learned = loss <= ceiling
    so_far = "learned" if learned else progress(trainer.table(steps=1), table, val, ceiling)
    saw = f"After {STEPS} steps the loss on new text is {loss:.3f}; counting pairs would give about {floor + 0.02:.3f}."
    strain = (loss - floor) / NEAR_THE_CHAIN
    expect.true(f"{STEPS} steps learn the text", learned, rule=LEARNS, saw=saw, evidence=so_far, strain=strain)
    early = bigram_loss(trainer.few_steps(), val)
    better = loss < early - MORE_IS_BETTER
    saw = f"The loss on new text is {early:.3f} after {FEW_STEPS} steps, and {loss:.3f} after {STEPS}."
    expect.true(f"{STEPS} steps learn more than {FEW_STEPS}", better, rule=STEPS_COUNT, saw=saw)
    # whatever `steps` says, each of the many runs that follow would take as long as it likes
    expect.need(f"{FEW_STEPS} steps don't learn it all", better or early > ceiling, rule=STEPS_COUNT, saw=saw)


def progress(start, table, val, ceiling):
    """How far training came that did not come far enough, in words coarse enough to be the same in every style."""
    before, loss = bigram_loss(start, val), bigram_loss(table, val)
    return [movement((table - start).abs().max().item()), direction(loss - before), distance(loss - ceiling)]


def movement(moved):
    if moved <= 1e-6:
        return "moved nothing"
    return "moved little" if moved <= 0.3 else "moved much"


def direction(gained):
    if gained > 0.3:
        return "worse"
    return "better" if gained < -0.1 else "as before"


def distance(above):
    if above > 8:
        return "beyond all bounds"
    return "near" if above < 0.25 else "far"


def expect_counts(expect, trainer):
    """On a text of one window each batch is the same, and training ends where it must."""
    window = telling_window(trainer.ids, 12)
    fit = bigram_loss(trainer.table(window, batch_size=14, block_size=12), window)
    best = counted_loss(window, SIZE)
    saw = f"On a text of one window training ends at a loss of {fit:.3f}; its counted pairs have {best:.3f}."
    near, strain = fit <= best + NEAR_THE_COUNTS, (fit - best) / NEAR_THE_COUNTS
    expect.true("training ends at the counted pairs", near, rule=ENDS_AT_COUNTS, saw=saw, strain=strain)


def expect_whole_text(expect, trainer):
    """A run sees windows from all three parts of a text."""
    seed = trainer.options["seed"]
    touched = [parts_touched(trainer, seed + i) for i in range(4)]
    missed = sorted({0, 1, 2} - touched[0])
    saw = f"In 100 steps on a text with the parts 0, 1 and 2, training saw no window of the parts {missed}."
    other_parts = len(set.union(*touched)) > 1  # with other seeds
    expect.true("training sees the whole text", not missed, rule=WHOLE_TEXT, saw=saw, evidence=other_parts)


def parts_touched(trainer, seed):
    """Which thirds of a text, each in characters of its own, a run moves the logits of."""
    ids = three_parts(SIZE, 600)
    options = {"batch_size": 1, "block_size": 8, "seed": seed}
    start = trainer.table(ids, steps=1, learning_rate=STANDING_STILL, **options)
    end = trainer.table(ids, steps=100, **options)
    moved = (end - start).abs().reshape(3, -1).amax(-1)
    return {part for part in range(3) if moved[part] > TOUCHED}


def expect_repeats(student, expect, trainer):
    """A seed decides the run, whatever else the process has drawn; another seed gives another run."""
    short, first = trainer.few_steps(), trainer.beginning()
    new_model(student, SIZE + 1)  # uses up some of the process's randomness, which a seeded run must not notice
    repeats = torch.equal(trainer.few_steps(), short)
    new_model(student, SIZE + 1)
    begins_alike = is_close(trainer.beginning(), first, "zero")
    saw = "Two runs with the same seed gave different models."
    if not begins_alike:
        saw += " They began with different weights."
    expect.true("the same seed gives the same model", repeats, rule=REPEATS, saw=saw, evidence=begins_alike)
    differs = not torch.equal(trainer.few_steps(seed=trainer.options["seed"] + 1), short)
    saw = "Two runs with different seeds gave the very same model."
    expect.true("another seed gives another model", differs, rule=SEED_COUNTS, saw=saw)


def expect_options(expect, trainer):
    """Each option has its effect."""
    short = trainer.few_steps()
    for option, value in (("batch_size", 5), ("block_size", 3), ("learning_rate", 3e-3)):
        differs = not torch.equal(trainer.few_steps(**{option: value}), short)
        saw = f"{option}={value} and {option}={trainer.options[option]} gave the very same model."
        expect.true(f"{option} is used", differs, rule=USED, saw=saw)
