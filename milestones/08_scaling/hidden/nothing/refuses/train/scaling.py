"""Refuses everything with ValueError."""


def count_parameters(*arguments, **options):
    raise ValueError("no")


def flops_per_token(*arguments, **options):
    raise ValueError("no")


def measure_throughput(*arguments, **options):
    raise ValueError("no")


def fit_power_law(*arguments, **options):
    raise ValueError("no")


def run_scaling_study(*arguments, **options):
    raise ValueError("no")
