"""The keys of the dashboard."""

from __future__ import annotations

KEYS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (
        "Everywhere",
        (
            ("/", "search"),
            ("g e", "executions"),
            ("g f", "flows"),
            ("g s", "sources"),
            ("?", "this list"),
            ("y", "copy the page's address"),
            ("c", "copy the commit"),
            ("Esc", "close, then clear"),
        ),
    ),
    (
        "Lists",
        (("j k", "next and previous row"), ("Enter", "open"), ("f", "filter")),
    ),
    (
        "One execution",
        (
            ("1 – 5", "tabs"),
            ("j k", "next and previous task"),
            ("e E", "next and previous error"),
            ("n N", "next and previous hit"),
            ("g g G", "start and end of the log"),
            ("r", "replay"),
            ("Shift K", "kill"),
        ),
    ),
    ("One flow", (("Shift R", "run"), ("d", "difference of revisions"))),
    ("Sources", (("s", "sync"), ("p", "next problem"))),
)
"""By page: keys, and what they do."""
