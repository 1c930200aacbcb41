"""nanoGPT's CPU configuration through the reference's GPT and training loop, with three seeds.

    GPT_LADDER_SHAKESPEARE=path/to/tinyshakespeare.txt python benchmarks/nanogpt_seeds.py    # about ten minutes

The climb's last rung, once per seed; an interrupted run goes on with the seeds that are missing.
"""

import sys
from dataclasses import replace
from pathlib import Path

from tabulate import tabulate

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from data import corpus as corpora  # noqa: E402
from reports.climb import ASSEMBLIES, NANO_GPT_LOSS, climb, load  # noqa: E402

SEEDS = 1337, 1338, 1339
OUT = ROOT / ".ladder" / "nanogpt_seeds"


def main() -> None:
    corpus = corpora.load("tinyshakespeare")
    rows = []
    for seed in SEEDS:
        assembly = replace(ASSEMBLIES[-1], seed=seed)
        climb(ROOT / "solutions", corpus, OUT / str(seed), assemblies=[assembly])
        result = load(OUT / str(seed) / "climb.json")[assembly.name]
        rows.append([seed, result.val_loss, result.val_loss - NANO_GPT_LOSS, result.train_loss, result.seconds])
    headers = ["seed", "val loss", f"above {NANO_GPT_LOSS}", "train loss", "seconds"]
    rows.append(["mean", *(sum(column) / len(SEEDS) for column in zip(*(row[1:] for row in rows), strict=True))])
    print(tabulate(rows, headers=headers, floatfmt=("", ".4f", "+.4f", ".4f", ".0f")))


if __name__ == "__main__":
    main()
