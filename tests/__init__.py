"""Headrace's tests; CONTRIBUTING.md says what belongs to which level."""
