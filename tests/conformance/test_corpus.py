"""`headrace validate` over flows that people really wrote: quick, and every refusal has a line."""

import json
import time

import pytest
import yaml
from click.testing import CliRunner

from runner.cli import main
from runner.registry import load

from .corpus import Kind, judge
from .shared import shared

_SECONDS = 20
_REFUSED_OF_CORE = "146 437 446 484"
"""The flows of Kestra's core types that Kestra 1.3.34 refuses, when it is asked: of 73."""

_REFUSED_WITH_SCRIPTS = "025 049 050 051 052 053 054 055 083 089 126 127 131 132 133 134"
"""Those with scripts, of 101, that are wrong: each refusal was read and is true."""

_OF_LATER_VERSIONS = "144 145 152 153"
_CODES = {
    "deprecated",
    "alias",
    "duplicate",
    "expression",
    "not_available_yet",
    "property_unknown",
    "required",
    "rule",
    "secret",
    "structure",
    "type_unknown",
    "value",
    "without_effect",
    "yaml",
}


@pytest.fixture(scope="module")
def report():
    folder = shared("corpus", "flows")
    start = time.monotonic()
    result = CliRunner().invoke(main, ["validate", str(folder), "--json"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return json.loads(result.output), time.monotonic() - start


def test_the_corpus_is_validated_in_time(report):
    files, seconds = report
    assert len(files) == len(list(shared("corpus", "flows").glob("*.yaml")))
    assert seconds < _SECONDS


def test_every_problem_has_a_place_and_a_known_code(report):
    files, _ = report
    problems = [problem for file in files for problem in file["problems"]]
    assert {problem["code"] for problem in problems} <= _CODES
    assert all(problem["line"] >= 1 and problem["column"] >= 1 for problem in problems)


def test_files_that_do_not_parse_are_the_only_ones_with_a_yaml_problem(report):
    files, _ = report
    listed = yaml.safe_load(shared("corpus", "manifest.yaml").read_text(encoding="utf-8"))["flows"]
    broken = {one["file"] for one in listed if one.get("yaml") == "broken"}
    refused = {
        file["file"].rpartition("/")[2]
        for file in files
        if any(problem["code"] == "yaml" for problem in file["problems"])
    }
    assert refused <= broken


def test_nothing_is_said_about_the_properties_of_types_that_are_not_available(report):
    files, _ = report
    for file in files:
        later = [
            problem["path"].removesuffix("type")
            for problem in file["problems"]
            if problem["code"] == "not_available_yet" and problem["path"].endswith(".type")
        ]
        claims = [
            problem
            for problem in file["problems"]
            if problem["code"] in ("property_unknown", "value")
            and any(problem["path"].startswith(start) for start in later)
            and problem["path"].count(".") == 1
        ]
        assert not [
            claim for claim in claims if claim["path"].rpartition(".")[2] not in ("id", "disabled")
        ]


@pytest.fixture(scope="module")
def judged():
    registry = load()
    return [judge(registry, path, None) for path in sorted(shared("corpus", "flows").iterdir())]


def _refused(judged, kind):
    return {one.number for one in judged if one.kind is kind and one.ours.errors}


def test_flows_of_core_types_are_judged_as_by_kestra(judged):
    assert sum(one.kind is Kind.CORE for one in judged) == 73
    assert _refused(judged, Kind.CORE) == set(_REFUSED_OF_CORE.split())


def test_flows_with_scripts_are_refused_only_where_they_are_wrong(judged):
    assert sum(one.kind is Kind.SCRIPTS for one in judged) == 101
    wrong = {*_REFUSED_WITH_SCRIPTS.split(), *_OF_LATER_VERSIONS.split()}
    assert _refused(judged, Kind.SCRIPTS) == wrong


def test_flows_of_later_versions_are_told_to_be_so(judged):
    for one in judged:
        if one.number in _OF_LATER_VERSIONS.split():
            assert all("not_available_yet" in text for text in one.ours.errors)
