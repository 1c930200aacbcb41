"""The reference model is GPT-2: the same logits as transformers' implementation under the same weights."""

import importlib
import sys

import pytest
import torch

from autograder.errors import UnusableInput
from data.student_code import code_of
from reports import gpt2
from tests.this_course import SOLUTIONS

transformers = pytest.importorskip("transformers")

SHAPE = {"vocab_size": 61, "n_positions": 32, "n_embd": 24, "n_layer": 3, "n_head": 2}
END = "<|endoftext|>"


def original(**changes):
    """transformers' GPT-2 with weights larger than its own initialisation, so that every part matters."""
    torch.manual_seed(3)
    config = transformers.GPT2Config(**{**SHAPE, **changes}, bos_token_id=0, eos_token_id=0)
    model = transformers.GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    return model


def next_token_loss(model, idx):
    """In the dtype of the model: with `labels`, transformers would round its logits to float32 first."""
    return torch.nn.functional.cross_entropy(model(idx).logits[:, :-1].flatten(0, 1), idx[:, 1:].flatten())


@pytest.fixture
def reference():
    with code_of(SOLUTIONS):
        yield importlib.import_module("model.transformer")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A small GPT-2 on disk, with a tokenizer that has one token per byte."""
    from tokenizers.pre_tokenizers import ByteLevel

    folder = tmp_path_factory.mktemp("checkpoint")
    vocabulary = {letter: i for i, letter in enumerate(sorted(ByteLevel.alphabet()))} | {END: 256}
    transformers.GPT2TokenizerFast(vocab=vocabulary, merges=[]).save_pretrained(folder)
    original(vocab_size=257).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.float64, 1e-9)])
def test_logits_and_loss_equal_transformers(reference, dtype, tolerance):
    theirs = original().to(dtype)
    ours = reference.GPT(reference.GPTConfig(**gpt2.configuration(theirs.config))).to(dtype).eval()
    ours.load_weights(gpt2.named_weights(theirs.state_dict()))
    idx = torch.randint(0, 61, (2, 32))
    with torch.no_grad():
        expected = theirs(idx).logits
        logits, _ = ours(idx)
        _, loss = ours(idx[:, :-1].contiguous(), idx[:, 1:].contiguous())
    assert expected.abs().max() > 1, "weights this small would hide a difference"
    assert (logits - expected).abs().max() <= tolerance
    assert abs(loss - next_token_loss(theirs, idx)) <= tolerance


def test_gradients_equal_transformers(reference):
    theirs = original().double()
    ours = reference.GPT(reference.GPTConfig(**gpt2.configuration(theirs.config))).double().eval()
    ours.load_weights(gpt2.named_weights(theirs.state_dict()))
    idx = torch.randint(0, 61, (2, 32))
    next_token_loss(theirs, idx).backward()
    ours(idx[:, :-1].contiguous(), idx[:, 1:].contiguous())[1].backward()
    assert torch.allclose(ours.wte.weight.grad, theirs.transformer.wte.weight.grad, atol=1e-9)
    assert torch.allclose(ours.wpe.weight.grad, theirs.transformer.wpe.weight.grad, atol=1e-9)


def test_every_published_weight_finds_its_place(reference):
    theirs = original()
    ours = reference.GPT(reference.GPTConfig(**gpt2.configuration(theirs.config)))
    assert ours.num_parameters() == sum(p.numel() for p in theirs.parameters())
    assert sum(t.numel() for t in gpt2.named_weights(theirs.state_dict()).values()) == ours.num_parameters()


def test_mask_buffers_of_old_checkpoints_are_left_out():
    state = {
        "transformer.wte.weight": torch.ones(2, 2),
        "transformer.h.0.attn.bias": torch.ones(1, 1, 4, 4),
        "transformer.h.0.attn.masked_bias": torch.tensor(-1e4),
        "transformer.h.0.attn.c_attn.bias": torch.ones(6),
        "lm_head.weight": torch.ones(2, 2),
    }
    assert list(gpt2.named_weights(state)) == ["wte.weight", "h.0.attn.c_attn.bias"]


def test_complete_continues_as_transformers_does(checkpoint):
    """Greedy, since two samplers do not share their random numbers."""
    prompt = "To be, or not"
    done = gpt2.complete(SOLUTIONS, prompt, source=str(checkpoint), max_new_tokens=12, temperature=0.0)
    theirs, tokenizer = gpt2.fetch(str(checkpoint))
    idx = torch.tensor([tokenizer(prompt)["input_ids"]])
    expected = theirs.generate(
        idx, attention_mask=torch.ones_like(idx), max_new_tokens=12, do_sample=False, eos_token_id=-1, pad_token_id=0
    )
    assert done.text == tokenizer.decode(expected[0].tolist())
    assert done.text.startswith(prompt)
    assert done.difference <= 1e-4


def test_complete_repeats_with_its_seed(checkpoint):
    texts = [gpt2.complete(SOLUTIONS, "hm", source=str(checkpoint), max_new_tokens=8, seed=s).text for s in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


def test_complete_leaves_no_learner_code_behind(checkpoint):
    gpt2.complete(SOLUTIONS, "hm", source=str(checkpoint), max_new_tokens=1)
    assert "model.transformer" not in sys.modules
    assert str(SOLUTIONS.resolve()) not in sys.path


def test_complete_says_when_the_learners_model_differs(checkpoint, tmp_path):
    for package in ("model", "sample"):
        (tmp_path / package).mkdir()
        for file in (SOLUTIONS / package).glob("*.py"):
            text = file.read_text()
            (tmp_path / package / file.name).write_text(text.replace("self.lm_head(self.ln_f(x))", "self.lm_head(x)"))
    with pytest.raises(UnusableInput, match="your logits differ from GPT-2's"):
        gpt2.complete(tmp_path, "hm", source=str(checkpoint), max_new_tokens=1)


@pytest.mark.parametrize("prompt", ["", "x" * 33])
def test_complete_refuses_a_prompt_that_does_not_fit(checkpoint, prompt):
    with pytest.raises(UnusableInput, match="1 to 32"):
        gpt2.complete(SOLUTIONS, prompt, source=str(checkpoint))


def test_fetch_says_what_it_can_not_load(tmp_path):
    with pytest.raises(UnusableInput, match="can't load"):
        gpt2.fetch(str(tmp_path / "nothing"))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"activation_function": "relu"}, "activation_function = 'relu'"),
        ({"layer_norm_epsilon": 1e-12}, "layer_norm_epsilon"),
        ({"n_inner": 48}, "feed-forward is 48 wide"),
    ],
)
def test_configuration_refuses_other_architectures(changes, complaint):
    with pytest.raises(UnusableInput, match=complaint):
        gpt2.configuration(transformers.GPT2Config(**SHAPE, **changes))
