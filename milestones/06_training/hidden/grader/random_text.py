"""A random text in which every window is there only once, so that each batch tells where it was taken from."""

import torch
import torch.nn.functional as F

from .tiny_model import T, V, logits_of

SIX_SIGMA = 6.0  # a mean of n windows is farther off than this many standard errors about once in 10^9 estimates
SLACK = 0.02  # nats on top: windows overlap, and the end of a text is in fewer of them than its middle


class Text:
    """Random ids whose two halves use different tokens often, so that a part does not speak for the whole."""

    def __init__(self, draw, length):
        half = length // 2
        first, second = draw.randint(0, V, (half,)), draw.randint(0, V, (length - half,))
        often = draw.rand(length) < 0.6
        self.ids = torch.where(often, torch.cat([first % 5, 7 + second % 11]), torch.cat([first, second]))
        seen = set()
        for end in range(T, length + 1):  # every window of T ids is there only once
            while tuple(self.ids[end - T : end].tolist()) in seen:
                self.ids[end - 1] = (self.ids[end - 1] + 1) % V
            seen.add(tuple(self.ids[end - T : end].tolist()))

    def starts(self, x):
        """Where the rows of x (B, L) begin in the text; None for a row that is nowhere.

        The end of a text, which may be shorter than T, is looked for from behind.
        """
        windows = self.ids[:-1].unfold(0, x.shape[-1], 1).tolist()
        last = {tuple(window): start for start, window in enumerate(windows)}
        return [last.get(tuple(row)) for row in x.tolist()]

    def targets(self, x):
        """The ids that follow those of x (B, L)."""
        starts = torch.tensor(self.starts(x))
        return self.ids[starts[:, None] + 1 + torch.arange(x.shape[1])]

    def losses(self, weights, training=False):
        """The loss of each predictable position, (N - 1,): the tiny model looks at one token only."""
        logits = logits_of(weights, self.ids[:-1], training)
        return F.cross_entropy(logits, self.ids[1:], reduction="none")


def by_chance(losses, windows):
    """How far the mean loss of so many random windows may be from the mean of all `losses` (N - 1,)."""
    return SIX_SIGMA * losses.unfold(0, T, 1).mean(-1).std().item() / windows**0.5 + SLACK


def expect_windows(expect, what, passes, text):
    """Every forward pass was given windows of the text, with targets one later; returns each pass's starts in it."""
    starts = [text.starts(forward["x"]) if has_rows(forward) else [None] for forward in passes]
    expect.need(
        f"{what}: all inputs are windows of the ids",
        bool(starts) and all(start is not None for part in starts for start in part),
        rule="The model must be given batches of windows of these ids, and nothing else.",
        saw=f"{what}: the model was given {'something that is not a window of the ids' if starts else 'nothing'}.",
    )
    expect.true(
        f"{what}: all targets are the ids one later",
        all(has_targets(forward, text) for forward in passes),
        rule="The targets of a window must be the ids one later.",
    )
    return starts


def has_rows(one):
    return isinstance(one, dict) and isinstance(one.get("x"), torch.Tensor) and one["x"].ndim == 2


def has_targets(one, text):
    """Whether the pass has the right targets, or none: a loss may be computed from the logits as well."""
    y = one.get("y")
    return y is None or (isinstance(y, torch.Tensor) and torch.equal(y, text.targets(one["x"])))
