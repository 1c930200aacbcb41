"""Fuzzers: what strangers send is made up here, faster than strangers could.

Each module has `run(minutes) -> int`, which tries examples for so long and returns how many; it raises on the first
failure and prints how to repeat it. `make fuzz MINUTES=30` runs them all.
"""
