"""What holds for every test: a clean environment, and no network for units."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.services.fixtures"]

_OURS = (
    "HEADRACE_",
    "SECRET_",
    "KESTRA_",
    "GITHUB_",
    "GIT_",
    "REDIS_URL",
    "DATABASE_URL",
    "INPUT_",
)
_TESTS = Path(__file__).parent

# How fast examples come says something of the machine, nothing of the claim.
settings.register_profile(
    "any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any-machine")


def pytest_configure():
    """Forget what the caller's environment says to Headrace, to Git and to the Action."""
    for name in [name for name in os.environ if name.startswith(_OURS)]:
        del os.environ[name]
    os.environ.setdefault("GIT_CONFIG_NOSYSTEM", "1")
    os.environ["GIT_CONFIG_GLOBAL"] = os.devnull
    for role in ("AUTHOR", "COMMITTER"):
        os.environ[f"GIT_{role}_NAME"] = "Ada Tester"
        os.environ[f"GIT_{role}_EMAIL"] = "ada@example.org"


def pytest_collection_modifyitems(items):
    """Keep unit tests off the network, whatever they import."""
    for item in items:
        if _TESTS / "unit" in item.path.parents:
            item.add_marker(pytest.mark.disable_socket)


def pytest_terminal_summary(terminalreporter):
    """Print what tests have counted, such as Kestra's cases by area."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == "scores" and report.when == "call":
                    terminalreporter.section(report.nodeid.rpartition("::")[2])
                    terminalreporter.write_line(value)
