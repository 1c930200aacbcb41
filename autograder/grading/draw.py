"""Fresh inputs for a grader, all from one seed: the same seed draws the same inputs everywhere.

In a diagnosis run the same calls give fixed values. So a grader must use no other source of randomness, and must keep
the sequence and sizes of its draws independent of what the student returns.
"""

import random

import torch


class Draw:
    """Draws from `seed` alone. Shapes are given as separate integers, as torch.randn takes them."""

    def __init__(self, seed: int):
        self._torch = torch.Generator().manual_seed(seed % 2**63)
        self._python = random.Random(seed)

    def randn(self, *shape: int, dtype=torch.float64) -> torch.Tensor:
        """Standard normal numbers.

        x = draw.randn(B, T, C)
        """
        return torch.randn(shape, generator=self._torch, dtype=torch.float64).to(dtype)

    def rand(self, *shape: int, dtype=torch.float64) -> torch.Tensor:
        """Uniform numbers in [0, 1).

        mask = draw.rand(T, S) < 0.5
        """
        return torch.rand(shape, generator=self._torch, dtype=torch.float64).to(dtype)

    def randint(self, low: int, high: int, shape) -> torch.Tensor:
        """int64 in [low, high).

        idx = draw.randint(0, V, (B, T))
        """
        return torch.randint(low, high, tuple(shape), generator=self._torch)

    def permutation(self, n: int) -> torch.Tensor:
        """0 to n - 1 in random order, int64.

        order = draw.permutation(T)
        """
        return torch.randperm(n, generator=self._torch)

    def integer(self, low: int, high: int) -> int:
        """In [low, high], both included.

        T = draw.integer(9, 20)
        """
        return self._python.randint(low, high)

    def choice(self, options):
        """One of the options.

        letter = draw.choice("abc")
        """
        return self._python.choice(list(options))

    def text(self, alphabet: str, length: int) -> str:
        """Letters of the alphabet, each as likely as the others.

        text = draw.text("abcdé ", 200)
        """
        return "".join(self._python.choices(alphabet, k=length))

    def seed(self) -> int:
        """A seed for a generator over there.

        generator = student.generator(draw.seed())
        """
        return self._python.getrandbits(48)
