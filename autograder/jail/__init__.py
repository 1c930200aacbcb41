"""Runs untrusted code. Nothing here knows a grader, a solution or an expected value.

`template` and `worker` are the trusted ends; everything under `inside`, and a course's instruments, runs in the jail.
"""
