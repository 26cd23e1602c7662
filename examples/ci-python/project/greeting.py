"""A project to check: it greets."""


def greeting(name: str) -> str:
    """Return what to say to somebody."""
    return f"Hello, {name or 'world'}!"


def main() -> None:
    """Greet the world."""
    print(greeting(""))
