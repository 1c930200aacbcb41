"""Judges train's resume_from in train/loop.py: a run goes on after a break as if there had been none."""

from autograder.grading.student import StudentError

from .lent_model import new_model
from .tiny_model import draw_weights, equal_bits
from .whole_run import KEYS, ROW_STEPS, RUN, config_for, draw_ids, metrics_of, read_file, steps_of, trained

FAR = 0.5  # of the weights' norm: other moments or batches move the weights less than that, another beginning more


def cut_off(student, ids, out_dir, weights, dropout, updates):
    """Runs until the power goes, in the update after `updates`; whether it did."""
    student.instrument("global_random").seed(1)
    cut = updates * RUN["accumulation_steps"] + 1
    model = new_model(student, weights, dtype="float32", dropout=dropout, power_cut_at=cut)
    error = student.attempt(student.train.loop.train, model, *ids, config_for(student, out_dir))
    if isinstance(error, StudentError) and error.type != "PowerCut":
        raise error
    return isinstance(error, StudentError)


def test_resume(student, draw, expect):
    """A run that is cut off and resumed ends with the very weights and rows of a run without a break."""
    weights, others, ids = draw_weights(draw), draw_weights(draw), draw_ids(draw)
    for what, dropout in (("without dropout", 0.0), ("with dropout", 0.4)):
        whole = trained(student, f"whole_{dropout}", weights, ids, disturb=1, dropout=dropout)
        out_dir = f"broken_{dropout}"
        path = f"{out_dir}/checkpoint.pt"
        expect.true(
            f"{what}: a power cut ends the run",
            cut_off(student, ids, out_dir, weights, dropout, updates=4),
            rule="train must let through what it can't handle, such as the end of the process.",
            saw="A run that lost its power went on.",
        )
        checkpoint = read_file(student, path)
        expect.need(
            f"{what}: there is a checkpoint",
            checkpoint is not None,
            rule="With each row a checkpoint must be saved as out_dir/checkpoint.pt.",
            saw=f"After the first row of a run there is no {path}.",
        )
        now = trained(student, out_dir, others, ids, disturb=99, dropout=dropout, resume_from=path)
        expect_resumed(expect, what, whole, now)
        expect_steps(student, expect, f"{what}: the steps in metrics.jsonl", out_dir)
        student.files.put("kept.pt", checkpoint)
        trained(student, out_dir, others, ids, disturb=99, dropout=dropout, resume_from="kept.pt")
        expect_steps(student, expect, f"{what}: the steps in metrics.jsonl, resumed once more", out_dir)


def expect_steps(student, expect, what, out_dir):
    """metrics.jsonl has the rows of the whole run, each once."""
    expect.equal(
        what,
        steps_of(metrics_of(student, out_dir) or []),
        ROW_STEPS,
        rule="A resumed run must keep the rows up to its checkpoint, drop later ones, and add its own.",
    )


def expect_resumed(expect, what, whole, now):
    """The resumed run did and gave what the whole run did from step 3 on."""
    done = 3 * RUN["accumulation_steps"] * RUN["batch_size"] * RUN["block_size"]  # tokens before the checkpoint
    batches = whole.batches[done:]
    expect.equal(
        f"{what}: the number of tokens trained on after the break",
        now.batches.numel(),
        batches.numel(),
        rule="A resumed run must make the updates that are left, no more and no fewer.",
    )
    expect.true(
        f"{what}: the batches after the break are the same",
        equal_bits(batches, now.batches),
        rule="A resumed run must draw the batches that the run without a break draws: keep their generator's state.",
        saw=f"The resumed run ({what}) draws other batches than the run without a break.",
    )
    expect.true(
        f"{what}: the weights at the end are the same",
        equal_bits(whole.weights, now.weights),
        rule="A resumed run must end with the very weights of the run without a break: keep model, optimizer, step, and"
        " the states of all random generators.",
        saw=f"The resumed run ({what}) ends with other weights.",
        evidence=bool((whole.weights - now.weights).norm() > FAR * whole.weights.norm()),
    )
    usable = isinstance(whole.rows, list) and isinstance(now.rows, list)
    expect.true(
        f"{what}: the rows are the same",
        usable and timeless(whole.rows) == timeless(now.rows),
        rule="A resumed run must return the rows of the run without a break, times aside.",
        saw=f"The rows of the resumed run ({what}) are not those of the run without a break.",
        evidence=steps_of(now.rows) if usable else None,
    )


def timeless(rows):
    """The rows without what depends on the clock."""
    keys = [key for key in KEYS if key not in ("seconds", "tokens_per_second")]
    return [[row.get(key) for key in keys] if isinstance(row, dict) else None for row in rows]


def test_other_tokenizer(student, draw, expect):
    """A checkpoint that was trained with another tokenizer is refused, by name."""
    weights, ids = draw_weights(draw), draw_ids(draw)
    train = student.train.loop.train
    mine, yours = draw.text("abcdef", 9), draw.text("012345", 9)
    changes = {"steps": 2, "warmup_steps": 1}
    my_config = config_for(student, "named", tokenizer_hash=mine, **changes)
    your_config = config_for(student, "named", tokenizer_hash=yours, **changes)
    train(new_model(student, weights), *ids, my_config)
    content = student.train.checkpoint.load_checkpoint("named/checkpoint.pt")
    held = content.get("tokenizer_hash") if isinstance(content, dict) else None
    expect.true(
        "the checkpoint has the tokenizer's hash",
        held == mine,
        rule="train must save config.tokenizer_hash in its checkpoints.",
        saw=f"The run's tokenizer_hash is {mine!r}, and the checkpoint's {held!r}.",
    )
    for what, name in (("the checkpoint's hash", mine), ("the config's hash", yours)):
        expect.raises(
            f"resuming with another tokenizer, naming {what}",
            ValueError,
            train,
            new_model(student, weights),
            *ids,
            your_config,
            resume_from="named/checkpoint.pt",
            mentions=name,
            rule="A checkpoint of another tokenizer must be refused with both hashes: the same ids mean other tokens.",
        )
    train(new_model(student, weights), *ids, my_config, resume_from="named/checkpoint.pt")
