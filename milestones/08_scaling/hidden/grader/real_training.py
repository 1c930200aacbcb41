"""Ties a study to training that trusted code repeats: invented rows have no weights that bear them out.

Three statements, each about one size of the study:

- a few steps of the submission's `train` move the weights the way that AdamW on the gradient of a GPT moves them. The
  ids have room for one window only, so whatever draws the batches, each is known;
- the weights that a longer training leaves behind have learned the ids;
- the study reports what such a training gives, apart from chance.

A mistake in the submission's own GPT or optimizer is another milestone's business. So the limits are wide: they tell
training from none, not right training from wrong. And a GPT that is none by the exact measure of `Places` is measured
by its own loss, in a process that has never trained. The seed of the study is judged elsewhere: chance is allowed for.
"""

import math

import torch

from milestones.hidden.weights import gpt, gpt_loss

from .layout import config_of
from .named_weights import Places
from .returned_values import as_number, shown

STEPS = 6
BETAS = 0.9, 0.95  # TrainConfig's defaults
# The cosine between two movements of all weights. Adam moves each by about the rate, in the direction of its gradient,
# so movements that have nothing to do with each other have a cosine within 0.02 of 0.
SAME_DIRECTION = 0.05
# How far the weights moved, over how far they should.
SHORTEST, LONGEST = 0.4, 2.5
FALLEN = 0.03  # nats that the own loss of a GPT with a mistake falls by in these steps, at least
LEARNED = 0.4  # share of what the rows say was learned that trusted code must find in the weights
SLACK = 0.02  # nats: two measurements of a model that has learned nothing differ by less
CHANCE = 0.15  # in nats: trainings from other seeds, or on a part of the ids, are nearer to each other

REAL = "`train` must train: the weights must move the way that AdamW moves a GPT's on the given batches."


def expect_real(study, draw):
    """The study's models were trained, for a size that is drawn."""
    index = draw.integer(0, len(study.sizes) - 1)
    places = Places(study.student, draw, study.sizes[index])
    expect_steps(study, draw, places, index)
    expect_learned(study, places, index)


def expect_steps(study, draw, places, index):
    """A few steps on one window move the weights the way that trusted code moves them."""
    sizes, T = study.sizes[index], study.training["block_size"]
    ids = draw.randint(0, sizes["vocab_size"], (T + 1,))
    changes = {
        "steps": STEPS, "eval_interval": STEPS, "eval_batches": 1, "warmup_steps": 0,
        "min_lr": study.training["max_lr"], "accumulation_steps": 1,
    }  # fmt: skip
    model = study.new_model(index)
    before = study.student.get_parameters(model)
    study.student.train.loop.train(model, ids, ids, study.train_config("steps_of_the_grader", **changes))
    after = study.student.get_parameters(model)
    if not places.right:
        expect_own_loss_falls(study, index, before, after, ids)
        return
    started = places.named(before)
    moved = flat(places.named(after)) - flat(started)
    should = flat(stepped(started, ids, sizes["n_head"], study.training)) - flat(started)
    cosine = float(moved @ should / (moved.norm() * should.norm()).clamp_min(1e-30))
    length = float(moved.norm() / should.norm())
    study.expect.true(
        f"{STEPS} steps of train move the weights as training moves them",
        cosine >= SAME_DIRECTION and SHORTEST <= length <= LONGEST,
        rule=REAL,
        saw=f"After {STEPS} steps on one window the weights have moved {length:.2f} times as far as AdamW moves them,"
        f" and the cosine between both movements is {cosine:.2f}.",
        record=False,
    )


def expect_own_loss_falls(study, index, before, after, ids):
    """The same of a GPT that has a mistake: what it calls its loss has fallen on the window."""
    was, now = (own_loss(study, index, weights, ids[None, :-1], ids[None, 1:]) for weights in (before, after))
    study.expect.true(
        f"{STEPS} steps of train lower the model's own loss",
        was - now >= FALLEN,
        rule=REAL,
        saw=f"After {STEPS} steps on one window the model's own loss on it is {now:.3f}; before it was {was:.3f}.",
        record=False,
    )


def own_loss(study, index, weights, x, y):
    """The loss that the submission's GPT states with these weights, in a process that has trained nothing; or NaN."""
    twin = study.student.twin()
    model = twin.model.transformer.GPT(config_of(twin, study.sizes[index]))
    twin.set_parameters(model, weights)
    returned = twin.attempt(model, x, y)
    loss = returned[1] if isinstance(returned, list) and len(returned) == 2 else None
    single = isinstance(loss, torch.Tensor) and loss.numel() == 1 and loss.is_floating_point()
    return float(loss) if single else math.nan


def stepped(weights, ids, n_head, training):
    """The weights after STEPS steps of AdamW (Loshchilov and Hutter 2019) at max_lr on one window, float64."""
    rate, (beta1, beta2), eps = training["max_lr"], BETAS, 1e-8
    weights = {name: tensor.clone() for name, tensor in weights.items()}
    m, v = ({name: torch.zeros_like(tensor) for name, tensor in weights.items()} for _ in range(2))
    for step in range(1, STEPS + 1):
        for name, g in gradients(weights, ids, n_head, training["grad_clip"]).items():
            if weights[name].ndim >= 2:
                weights[name] *= 1 - rate * training["weight_decay"]
            m[name] = beta1 * m[name] + (1 - beta1) * g
            v[name] = beta2 * v[name] + (1 - beta2) * g * g
            weights[name] -= rate * (m[name] / (1 - beta1**step)) / ((v[name] / (1 - beta2**step)).sqrt() + eps)
    return weights


def gradients(weights, ids, n_head, grad_clip):
    """Of the loss on one window, scaled down to the norm grad_clip, by name."""
    leaves = {name: tensor.clone().requires_grad_() for name, tensor in weights.items()}
    loss = gpt_loss(gpt(ids[None, :-1], leaves, n_head), ids[None, 1:])
    found = torch.autograd.grad(loss, list(leaves.values()))
    norm = float(torch.cat([g.flatten() for g in found]).norm())
    return {name: g * min(1.0, grad_clip / norm) for name, g in zip(leaves, found, strict=True)}


def flat(weights):
    return torch.cat([tensor.flatten() for tensor in weights.values()])


def expect_learned(study, places, index):
    """Trained again, the model has learned what its rows say, and the study's rows say about the same."""
    model, rows, _ = study.retrain(index)
    losses = losses_by_step(rows)
    study.expect.need(
        "training a size again returns rows with losses",
        bool(losses),
        rule="`train` must return rows with a train_loss; `make grade M=6` says more.",
        saw=f"Training a size again returned {shown(rows)}.",
    )
    ignorant = math.log(study.sizes[index]["vocab_size"])
    last = losses[max(losses)]
    trained = study.student.get_parameters(model)
    if places.right:
        found = trusted_loss(study, places.named(trained), index)
    else:
        found = own_loss(study, index, trained, *study.windows(study.train_ids))
    study.expect.true(
        "the weights have learned what the rows say",
        ignorant - found >= LEARNED * (ignorant - last) - SLACK,
        rule="The weights that `train` leaves in the model must be those of the losses in its rows.",
        saw=f"Trained again, a size of the study has the last train_loss {last:.3f}. With the weights of that model"
        f" the loss on train_ids is {found:.3f}; knowing nothing gives {ignorant:.3f}.",
        record=False,
    )
    expect_about(study, losses_by_step(study.entries()[index].get("curve")), losses)


def losses_by_step(rows) -> dict[int, float]:
    """The train_loss of each row by its step; empty if these are not such rows."""
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return {}
    pairs = [(as_number(row.get("step")), as_number(row.get("train_loss"))) for row in rows]
    return {step: loss for step, loss in pairs if step is not None and loss is not None}


def trusted_loss(study, weights, index):
    """The mean loss on windows of train_ids of a GPT with these weights, float64."""
    x, y = study.windows(study.train_ids)
    return gpt_loss(gpt(x, weights, study.sizes[index]["n_head"]), y).item()


def expect_about(study, reported, again):
    """Each reported train_loss is, apart from chance, that of training again; there is one to compare, at least."""
    off = {step: abs(reported[step] - loss) for step, loss in again.items() if step in reported}
    worst = max(off, key=off.get, default=None)
    study.expect.true(
        "the reported losses are about those of training again",
        worst is not None and off[worst] <= CHANCE,
        rule="The curve of a size must be what training it gives: about the same losses, whatever the seed.",
        saw="No row of the reported curve has a step of the curve that training again gives."
        if worst is None
        else f"At step {worst} the curve of a size has the train_loss {reported[worst]:.4g}; training it again gives"
        f" {again[worst]:.4g}.",
        record=False,
    )
