"""Fresh inputs for a grader, all from one seed: the same seed draws the same inputs everywhere."""

import random

import torch


class Draw:
    """Draws from `seed` alone. Shapes are given as separate integers, as torch.randn takes them."""

    def __init__(self, seed: int):
        self._torch = torch.Generator().manual_seed(seed % 2**63)
        self._python = random.Random(seed)

    def randn(self, *shape: int, dtype=torch.float64) -> torch.Tensor:
        return torch.randn(shape, generator=self._torch, dtype=torch.float64).to(dtype)

    def rand(self, *shape: int, dtype=torch.float64) -> torch.Tensor:
        return torch.rand(shape, generator=self._torch, dtype=torch.float64).to(dtype)

    def randint(self, low: int, high: int, shape) -> torch.Tensor:
        """int64 in [low, high)."""
        return torch.randint(low, high, tuple(shape), generator=self._torch)

    def permutation(self, n: int) -> torch.Tensor:
        return torch.randperm(n, generator=self._torch)

    def integer(self, low: int, high: int) -> int:
        """In [low, high], both included."""
        return self._python.randint(low, high)

    def choice(self, options):
        return self._python.choice(list(options))

    def text(self, alphabet: str, length: int) -> str:
        return "".join(self._python.choices(alphabet, k=length))

    def seed(self) -> int:
        return self._python.getrandbits(48)
