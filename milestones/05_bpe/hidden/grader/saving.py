"""Judges save and load: what is loaded, in another process too, is the tokenizer that was saved."""

from autograder.grading.student import StudentError

from .texts import ODD, UNICODE, fuzz, prose
from .tokenizers import expect_learned, ids_of, trained


def test_save_load(student, draw, expect):
    """What is loaded, in another process too, is the same tokenizer."""
    special = ["«fin»", "<|pad 2|>", " <|end|>"]  # neither sorted nor stripped
    learned_from = prose(draw, 200) + " 안녕 日本\t\t|" * 9
    tokenizer = trained(student, learned_from, 336, special)
    texts = [*ODD, *UNICODE, "a <|end|>b«fin»", *fuzz(draw, 20)]
    number = draw.seed()  # the files of an earlier run of this item are still there
    path, another = f"saved-{number}.tokenizer", f"another-{number}.tokenizer"
    before = _contents(student, tokenizer, texts, special)
    written = _saved(expect, student, tokenizer, path)
    trained(student, "zebra zebra", 258).save(another)
    loaded = student.keep(student.tokenizer.bpe.BPETokenizer.load, path)
    _expect_same(expect, before, _contents(student, loaded, texts, special), "after load")
    other = student.twin()
    for file, content in written.items():
        other.files.put(file, content)
    loaded = other.keep(other.tokenizer.bpe.BPETokenizer.load, path)
    _expect_same(expect, before, _contents(other, loaded, texts, special), "after load in a new process")
    expect_learned(expect, student, tokenizer, learned_from)


def _saved(expect, student, tokenizer, path):
    """What save writes: file -> content."""
    there_already = set(student.files.list())
    tokenizer.save(path)
    written = [file for file in student.files.list() if file not in there_already]
    expect.need("save writes a file", bool(written), rule="save must write a file.", saw="save wrote no file.")
    return {file: student.files.get(file) for file in written}


def _contents(student, tokenizer, texts, special):
    """Everything that save and load must keep. An error stands for what could not be had."""
    allowed = student.instrument("frozen_set", special)
    encoded = student.batch(tokenizer.encode, [(text, allowed) for text in texts])
    return {
        "vocab_size": student.value(tokenizer.vocab_size),
        "special_tokens": student.value(tokenizer.special_tokens),
        "merges": student.value(tokenizer.merges),
        "mergeable_ranks": tokenizer.mergeable_ranks(),
        "the ids of some texts": [_in_place(reply) or ids_of(reply) for reply in encoded],
        "the bytes of the tokens": [
            _in_place(reply) or reply for reply in student.batch(tokenizer.decode_bytes, [([i],) for i in range(336)])
        ],
    }


def _in_place(reply):
    """A text in place of an error, so that equal errors are equal."""
    return f"raised {reply.type}" if isinstance(reply, StudentError) else None


def _expect_same(expect, before, after, when):
    for name, value in before.items():
        expect.equal(
            f"{name} {when}",
            after[name],
            value,
            rule="load must return the tokenizer that was saved, the same in every respect, from the file alone.",
            record=name == "special_tokens",  # the others differ from one right way of training to another
        )
