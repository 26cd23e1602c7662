"""The system's Chromium, headless, as Playwright drives it."""

import shutil

_QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",  # it looks for hosts that the tests do not have
    "--disable-component-update",
    "--disable-sync",
)


def launch(playwright, *arguments):
    """Start it, with *arguments* on top of ours; the caller closes it."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise RuntimeError("no Chromium is installed: run tests/services/setup.sh")
    return playwright.chromium.launch(executable_path=program, args=[*_QUIET, *arguments])
