"""Kestra's validation cases: what is refused, with the gist of the message, and what accepted."""

import re

import pytest
import yaml

from runner.model.parser import parse_flow
from runner.registry import load

from .shared import SHARED

_FOLDER = SHARED / "conformance"
_FILE = _FOLDER / "invalid_cases.yaml"
_CASES = yaml.safe_load(_FILE.read_text(encoding="utf-8")) if _FILE.exists() else []
_TASK = {"id": "t", "type": "io.kestra.plugin.core.log.Log", "message": "m"}


def test_the_cases_are_there():
    if not _CASES:
        pytest.skip(f"{_FILE} is absent: no validation case of Kestra's was checked")


@pytest.fixture(scope="module")
def registry():
    return load()


def _variants(case):
    for name, values in case.get("variants", {}).items():
        for value in values:
            text = yaml.safe_dump({key: case[key] for key in case if key != "variants"})
            yield f"{case['id']}-{value}", yaml.safe_load(text.replace(f"@{name}@", value))
    if "variants" not in case:
        yield case["id"], case


def _source(case):
    if "file" in case:
        return (_FOLDER / case["file"]).read_text(encoding="utf-8")
    if "update" in case:
        return (_FOLDER / case["update"]["to"]).read_text(encoding="utf-8")
    if "inline" in case:
        return case["inline"]
    flow = {"id": "case", "namespace": "io.kestra.tests", "tasks": [case.get("task", _TASK)]}
    if "trigger" in case:
        flow["triggers"] = [case["trigger"]]
    if "plugin_default" in case:
        flow["pluginDefaults"] = [case["plugin_default"]]
    if "precondition_filter" in case or "time_window" in case:
        flow["triggers"] = [_waiting_trigger(case)]
    return yaml.safe_dump(flow)


def _waiting_trigger(case):
    preconditions = {"id": "p", "flows": [{"namespace": "io.kestra.tests", "flowId": "other"}]}
    if "precondition_filter" in case:
        preconditions["where"] = [{"id": "w", "filters": [case["precondition_filter"]]}]
    else:
        preconditions["timeWindow"] = case["time_window"]
    kind = "io.kestra.plugin.core.trigger.Flow"
    return {"id": "flow", "type": kind, "preconditions": preconditions}


def _is_subject_built(case):
    is_of_saving = isinstance(case.get("update", {}).get("to"), dict)  # a rule about two revisions
    return not is_of_saving and "documents" not in case["expect"]


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=name)
        for raw in _CASES
        for name, case in _variants(raw)
        if _is_subject_built(case)
    ],
)
def test_case(case, registry):
    parsed = parse_flow(_source(case), registry)
    errors = [problem for problem in parsed.problems if problem.severity == "error"]
    later = [problem for problem in errors if problem.code == "not_available_yet"]
    if later:
        pytest.skip(f"not available yet: {later[0].message}")
    assert (not errors) == case["expect"]["valid"], errors
    for wanted in case["expect"].get("errors", ()):
        assert any(_fits(wanted, problem) for problem in errors), (wanted, errors)


def _fits(wanted, problem):
    texts = wanted.get("message", [])
    choices = wanted.get("any_of", [])
    has_texts = all(text in problem.message for text in texts)
    return has_texts and (not choices or any(text in problem.message for text in choices))


def test_every_refusal_of_a_case_has_a_line(registry):
    for raw in _CASES:
        for _, case in _variants(raw):
            if _is_subject_built(case):
                for problem in parse_flow(_source(case), registry).problems:
                    assert re.fullmatch(r"\d+", str(problem.line)), (case["id"], problem)
