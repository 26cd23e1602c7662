"""Kestra's own cases against a fresh server of this project, in some minutes."""

import json

import pytest

from tests.conformance.__main__ import main, scores

from .shared import SHARED

KNOWN: dict[str, str] = {}
"""Cases that do not pass, and why."""


@pytest.mark.timeout(900)
def test_kestras_cases_hold(tmp_path, record_property):
    if not (SHARED / "conformance").exists():
        pytest.skip("Kestra's cases are absent: nothing was checked against them")

    report = tmp_path / "report.json"
    main(["--jobs", "4", "--home", str(tmp_path / "home"), "--report", str(report)])

    cases = json.loads(report.read_text("utf-8"))["cases"]
    record_property("scores", "\n".join(scores(cases)))
    failed = {case["id"]: case.get("failure") for case in cases if case["status"] == "failed"}
    assert {name: found for name, found in failed.items() if name not in KNOWN} == {}
    assert not [case["id"] for case in cases if case["status"] == "skipped"]
