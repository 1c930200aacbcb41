"""Public tests of rung 1: plain pytest on your own code. The hidden graders check more, on fresh inputs."""

import math

import pytest
import torch
import torch.nn.functional as F

from model.bigram import BigramLanguageModel
from tokenizer.char import CharTokenizer
from train.baseline import mean_loss, train_bigram
from train.data import TextDataset, get_batch, train_val_split


def test_text_comes_back_as_it_went_in():
    tokenizer = CharTokenizer.from_text("hello hill")
    assert tokenizer.vocab_size == 6
    assert sorted(set(tokenizer.encode("hello hill"))) == [0, 1, 2, 3, 4, 5], "ids should be 0..5, each used"
    assert tokenizer.decode(tokenizer.encode("oh hello")) == "oh hello"


def test_an_unknown_character_is_named():
    with pytest.raises(ValueError, match="z"):
        CharTokenizer.from_text("abc").encode("abz")


def test_minus_one_is_not_the_last_character():
    with pytest.raises(ValueError):
        CharTokenizer.from_text("abc").decode([-1])


def test_the_split_cuts_once():
    train, val = train_val_split(torch.arange(10))
    assert train.tolist() == list(range(9))
    assert val.tolist() == [9], "train[:cut] and val[cut:] share the same cut"


def test_the_dataset_holds_the_whole_text():
    text = "to be or not to be " * 5
    dataset = TextDataset.from_text(text)
    assert dataset.tokenizer.decode(torch.cat([dataset.train, dataset.val])) == text


def test_targets_are_the_next_token():
    x, y = get_batch(torch.arange(50), batch_size=4, block_size=8)
    assert x.shape == y.shape == (4, 8)
    assert torch.equal(y, x + 1), "in 0, 1, 2, … the next token is one more"


def test_every_window_that_fits_is_drawn():
    starts = {get_batch(torch.arange(6), 1, 3)[0][0, 0].item() for _ in range(300)}
    assert starts == {0, 1, 2}, "6 ids hold 6 - 3 windows of 3 with a target after each"


def test_the_generator_decides_the_batch():
    first, second, other = (
        get_batch(torch.arange(500), 4, 8, torch.Generator().manual_seed(seed))[0] for seed in (1, 1, 2)
    )
    assert torch.equal(first, second), "two generators with the same seed should draw the same windows"
    assert not torch.equal(first, other)


def test_ids_too_short_for_a_window_are_refused():
    with pytest.raises(ValueError):
        get_batch(torch.arange(8), 2, 8)  # 8 ids hold a window of 8, but no target after it


def test_the_loss_is_cross_entropy_of_the_logits():
    model = BigramLanguageModel(7)
    idx, targets = torch.randint(7, (3, 5)), torch.randint(7, (3, 5))
    logits, loss = model(idx, targets)
    assert logits.shape == (3, 5, 7)
    expected = F.cross_entropy(logits.reshape(-1, 7), targets.reshape(-1))
    assert math.isclose(loss.item(), expected.item(), rel_tol=1e-5)
    assert model(idx)[1] is None, "without targets there is no loss"


def test_generate_extends_the_prompt():
    prompt = torch.tensor([[1, 2], [3, 4]])
    out = BigramLanguageModel(7).generate(prompt, 5)
    assert out.shape == (2, 7)
    assert torch.equal(out[:, :2], prompt)


def test_mean_loss_counts_each_pair_once():
    model = BigramLanguageModel(7)
    ids = torch.tensor([3, 1, 4, 1, 5, 2, 6, 5, 3, 5])
    expected = model(ids[None, :-1], ids[None, 1:])[1].item()
    assert math.isclose(mean_loss(model, ids, block_size=4), expected, rel_tol=1e-5), "10 ids: 4 + 4 + 1 pairs"


def test_training_on_a_cycle_learns_it():
    ids = torch.arange(5).repeat(100)  # 0 1 2 3 4 0 1 2 …: the next token is certain
    model = train_bigram(ids, 5, steps=400, learning_rate=5e-2)
    assert mean_loss(model, ids) < 0.1
