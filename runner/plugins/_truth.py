"""What counts as true when a condition has become text."""

_FALSY = frozenset({"", "false", "0", "-0"})


def is_true(text: str) -> bool:
    """Say whether a rendered condition counts as true."""
    return text.strip() not in _FALSY
