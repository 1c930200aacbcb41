"""The sign of life of generate: new ids depend on the model."""

import torch

from .tables import SHARP, chain_tables, table_model

V, BLOCK_SIZE, NEW = 11, 12, 5
READS = "New ids must be drawn from the model's logits."


def expect_reads_the_model(student, expect):
    """With equally seeded generators, two models that are sure of different ids are continued differently."""
    prompts = torch.arange(8).view(4, 2)
    found = []
    for step in (1, 2):
        model = table_model(student, chain_tables(BLOCK_SIZE, torch.arange(V).roll(-step)), sharp=SHARP)
        found.append(student.sample.generate.generate(model, prompts, NEW, generator=student.generator(1)))
    first, second = found
    tensors = isinstance(first, torch.Tensor) and isinstance(second, torch.Tensor) and first.shape == second.shape
    expect.true(
        "other logits give other ids",
        tensors and not torch.equal(first, second),
        rule=READS,
        saw="Two models that are sure of different ids are continued by the same ids.",
        record=False,
    )
