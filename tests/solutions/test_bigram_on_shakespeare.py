"""The bigram of the reference, trained on the real corpus, reaches what the handout says."""

import json
import subprocess
import sys

from tests.this_course import SOLUTIONS

PROGRAM = """
import json, sys
from train.baseline import mean_loss, train_bigram
from train.data import TextDataset
data = TextDataset.from_text(open(sys.argv[1]).read())
model = train_bigram(data.train, data.tokenizer.vocab_size)
print(json.dumps(mean_loss(model, data.val)))
"""


def test_the_trained_bigram_comes_near_the_counted_entropy(shakespeare):
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(shakespeare)], cwd=SOLUTIONS, capture_output=True, text=True, check=True
    )
    assert 2.48 <= json.loads(run.stdout) <= 2.53
