"""What pages show, made by pure functions from frozen values; templates compute nothing.

`now` and the viewer's time zone are handed in.
"""
