"""Judges measure_throughput, with a clock and a device that are instruments: all times are inputs of the check."""

from .lazy_device import LazyDevice

SPEED = "measure_throughput must return the tokens of the measured steps over the seconds that these took on `clock`."
CALLS = "step must be called `warmup` times and then `steps` times, no more and no less."


def ticks(draw, n, low, high):
    """n durations in multiples of 1/1024 s, so that their sums are exact."""
    return [draw.integer(low, high) / 1024 for _ in range(n)]


def expect_speed(student, expect, what, device, *, tokens, warmup, steps, seconds, rule):
    """The speed of `steps` steps that really take `seconds`; `what` describes the run."""
    stub = student.instrument("lazy_device", asks=device)
    speed = student.train.scaling.measure_throughput(
        stub.step, tokens_per_step=tokens, warmup=warmup, steps=steps, clock=stub.clock, synchronize=stub.synchronize
    )
    expect.number(f"the speed of {what}", speed, steps * tokens / seconds, tol="f64", rule=rule)
    expect.equal(f"the number of calls of step, for {what},", device.steps, warmup + steps, rule=CALLS)


def test_throughput_tokens(student, draw, expect):
    """tokens/s is the measured steps' tokens over the seconds on the clock, on a device that hides nothing."""
    for steps in (1, draw.integer(3, 9), draw.integer(10, 15)):
        tokens = draw.integer(100, 5000)
        launches = ticks(draw, steps, 50, 900)
        device = LazyDevice(float(draw.integer(10, 1000)), 0.0, launches, [0.0] * steps)
        seconds = sum(launches)
        what = f"{steps} steps of {tokens} tokens that take {seconds:.3f} s"
        expect_speed(student, expect, what, device, tokens=tokens, warmup=0, steps=steps, seconds=seconds, rule=SPEED)


def test_throughput_warmup(student, draw, expect):
    """The warm-up is done, and counted nowhere."""
    rule = "The warm-up must be done first, and neither its tokens nor its seconds may count."
    for warmup in (1, draw.integer(2, 3), draw.integer(4, 5)):
        steps, tokens = draw.integer(6, 9), draw.integer(100, 5000)
        slow, launches = ticks(draw, warmup, 3000, 9000), ticks(draw, steps, 50, 900)
        works = [0.0] * (warmup + steps)
        device = LazyDevice(float(draw.integer(10, 1000)), 0.0, slow + launches, works)
        seconds = sum(launches)
        what = (
            f"{steps} steps of {tokens} tokens that take {seconds:.3f} s, after {warmup} for warm-up"
            f" that take {sum(slow):.3f} s"
        )
        expect_speed(
            student, expect, what, device, tokens=tokens, warmup=warmup, steps=steps, seconds=seconds, rule=rule
        )


def test_throughput_lazy_device(student, draw, expect):
    """On a device that works behind one's back the clock is read when the device has finished."""
    rule = "synchronize must be called before each reading of the clock that counts, at the start and at the end."
    for warmup in (0, 2, 3):
        steps, tokens = draw.integer(4, 9), draw.integer(100, 5000)
        queued = draw.integer(2000, 5000) / 1024
        launches = ticks(draw, warmup + steps, 5, 40)
        works = ticks(draw, warmup, 2000, 6000) + ticks(draw, steps, 200, 900)
        device = LazyDevice(float(draw.integer(10, 1000)), queued, launches, works)
        launching, seconds = sum(launches[warmup:]), sum(launches[warmup:]) + sum(works[warmup:])
        what = (
            f"{steps} steps of {tokens} tokens that keep the device busy for {seconds:.3f} s, {launching:.3f} s of them"
            f" in step(), after {warmup} for warm-up"
        )
        expect_speed(
            student, expect, what, device, tokens=tokens, warmup=warmup, steps=steps, seconds=seconds, rule=rule
        )
