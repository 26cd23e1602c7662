"""jq 1.6 in Python, so that a program can be bounded, sees no environment and opens no file.

Source: the jq 1.6 manual (https://jqlang.org/manual/v1.6/), and jackson-jq where it differs.
"""

from runner.expressions.jq.program import run_program

__all__ = ["run_program"]
