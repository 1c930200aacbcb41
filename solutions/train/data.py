"""From text to batches: a split that keeps validation text unseen, and windows whose targets lie one step ahead."""

import torch

from tokenizer.char import CharTokenizer


def train_val_split(ids: torch.Tensor, val_fraction: float = 0.1) -> tuple[torch.Tensor, torch.Tensor]:
    """Cuts ids (N,) into two contiguous parts: the first N - int(N * val_fraction) are train, the rest validation."""
    ### BEGIN SOLUTION
    cut = len(ids) - int(len(ids) * val_fraction)
    return ids[:cut], ids[cut:]
    ### END SOLUTION


class TextDataset:
    """A text as token ids. Attributes: tokenizer; train and val, 1-D int64, which don't overlap."""

    @classmethod
    def from_text(cls, text: str, val_fraction: float = 0.1) -> "TextDataset":
        """The vocabulary is that of the whole text; the last val_fraction of the text is validation."""
        ### BEGIN SOLUTION
        dataset = cls()
        dataset.tokenizer = CharTokenizer.from_text(text)
        ids = torch.tensor(dataset.tokenizer.encode(text), dtype=torch.int64)  # (N,)
        dataset.train, dataset.val = train_val_split(ids, val_fraction)
        return dataset
        ### END SOLUTION


def get_batch(
    ids: torch.Tensor, batch_size: int, block_size: int, generator: torch.Generator | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Random windows of ids (N,) and their targets.

    Returns x, y: int64 (batch_size, block_size), y[b, t] the id that follows x[b, t] in ids. Every start at which a
    window and its last target fit, 0 <= start < N - block_size, is equally likely, for each row by itself; windows may
    repeat. `generator`: torch.Generator or None. Raises ValueError if not even one window fits.
    """
    ### BEGIN SOLUTION
    starts = len(ids) - block_size
    if starts < 1:
        raise ValueError(f"{len(ids)} ids are too short for block_size {block_size}: one more than that is needed")
    start = torch.randint(starts, (batch_size, 1), generator=generator)  # (B, 1)
    window = torch.as_tensor(ids)[start + torch.arange(block_size + 1)].to(torch.int64)  # (B, T + 1)
    return window[:, :-1], window[:, 1:]  # (B, T) each
    ### END SOLUTION
