"""Runs the published GPT-2 in the learner's own model: its weights under its own names, the learner's code around them.

This runs the learner's code in this process, on their own machine and by their own hand; nothing here grades. It needs
milestone 4 for the model, milestone 7 for `generate`, and the `transformers` package for weights and tokenizer.
"""

import importlib
from pathlib import Path

import msgspec
import torch

from autograder.errors import UnusableInput
from data.student_code import code_of

PUBLISHED = "openai-community/gpt2"
TOLERANCE = 1e-3  # float32 through twelve layers, on logits of size 100


class Completion(msgspec.Struct, frozen=True):
    """`text` begins with the prompt; `difference` is the largest between the learner's logits and the original's."""

    text: str
    difference: float


def complete(
    work: Path,
    prompt: str,
    *,
    source: str = PUBLISHED,
    max_new_tokens: int = 40,
    temperature: float = 0.8,
    seed: int = 0,
) -> Completion:
    """Loads GPT-2 into the model of the workspace `work` and lets it continue the prompt.

    source: a name on the Hugging Face hub (downloaded, then cached) or a folder with a saved checkpoint. temperature 0
    always takes the likeliest token. Raises UnusableInput if the checkpoint can't be had, is not a GPT-2, or does not
    compute the same in the learner's model; what the learner's own code raises passes through.
    """
    original, tokenizer = fetch(source)
    idx = torch.tensor([tokenizer(prompt)["input_ids"]], dtype=torch.int64)
    settings = configuration(original.config)
    if not 0 < idx.shape[1] <= settings["block_size"]:
        raise UnusableInput(f"the prompt has {idx.shape[1]} tokens; it needs 1 to {settings['block_size']}")
    with code_of(work):
        transformer = importlib.import_module("model.transformer")
        sampling = importlib.import_module("sample.generate")
        model = transformer.GPT(transformer.GPTConfig(**settings))
        model.load_weights(named_weights(original.state_dict()))
        model.eval()
        with torch.no_grad():
            difference = (model(idx)[0] - original(idx).logits).abs().max().item()
        if not difference <= TOLERANCE:
            raise UnusableInput(
                f"with GPT-2's weights your logits differ from GPT-2's by {difference:.3g}. `ladder grade` says where:"
                " milestones 2 to 4 compare each part under given weights."
            )
        generator = torch.Generator().manual_seed(seed)
        ids = sampling.generate(model, idx, max_new_tokens, temperature=temperature, generator=generator)
    return Completion(text=tokenizer.decode(ids[0].tolist()), difference=difference)


def fetch(source: str):
    """The checkpoint as transformers' own model in eval mode and float32, and its tokenizer."""
    try:
        import transformers
    except ImportError:
        raise UnusableInput("this needs the transformers package: pip install transformers") from None
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(source)
        original = transformers.AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
    except (OSError, ValueError) as error:
        raise UnusableInput(f"can't load {source!r} (is the network there?): {error}") from None
    return original.eval(), tokenizer


def configuration(config) -> dict:
    """The arguments for the learner's GPTConfig. Raises UnusableInput if the architecture is not GPT-2's."""
    expected = {"model_type": "gpt2", "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5}
    for name, wanted in expected.items():
        if getattr(config, name, None) != wanted:
            raise UnusableInput(f"this checkpoint has {name} = {getattr(config, name, None)!r}; GPT-2 has {wanted!r}")
    if config.n_inner not in (None, 4 * config.n_embd):
        raise UnusableInput(f"this checkpoint's feed-forward is {config.n_inner} wide; GPT-2's is 4 * n_embd")
    return {
        "block_size": config.n_positions,
        "vocab_size": config.vocab_size,
        "n_layer": config.n_layer,
        "n_head": config.n_head,
        "n_embd": config.n_embd,
        "dropout": 0.0,
    }


def named_weights(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A transformers state dict under the names of `load_weights`. GPT-2's matrices are (in, out) already.

    The head is left out, since it is tied to wte; so are the masks that old checkpoints carry as buffers.
    """
    inner = {name.removeprefix("transformer."): t for name, t in state.items() if name.startswith("transformer.")}
    return {name: t for name, t in inner.items() if not name.endswith((".attn.bias", ".attn.masked_bias"))}
