"""Real flows of core types that need nothing from outside end as they end on Kestra."""

import os

import pytest

from .corpus_flows import CorpusFlow, read_corpus
from .corpus_runs import Asked, Sorted, run
from .shared import shared

_AT_LEAST = 35


@pytest.mark.timeout(120)
def test_flows_of_core_types_end_as_they_end_on_kestra():
    shared("corpus", "flows")
    if os.geteuid() != 0:
        pytest.skip("only root makes a network namespace, and nothing may reach a network")
    rows = run(Asked(images=set()))  # without images no script can run

    ran = [row for row in rows if row.outcome not in ("broken", "foreign", "outside", "refused")]
    assert [str(row) for row in rows if not row.is_expected] == []
    assert len(ran) >= _AT_LEAST


def test_what_a_flow_needs_from_outside_is_found_in_its_text(tmp_path):
    flow = _flow(
        tmp_path,
        """
        id: a
        namespace: b
        tasks:
          - {id: get, type: io.kestra.plugin.core.http.Request, uri: "https://example.com"}
          - id: install
            type: io.kestra.plugin.scripts.python.Script
            beforeCommands: [pip install pandas]
            script: print(1)
          - id: call
            type: io.kestra.plugin.scripts.shell.Commands
            docker: {image: alpine}
            commands: [curl example.com]
        """,
    )

    assert flow.needs({"python:3.13-slim"}) == [
        "HTTP",
        "installs packages",
        "network in the script",
        "image alpine",
    ]


def test_the_image_of_a_script_may_be_named_in_old_ways(tmp_path):
    flow = _flow(
        tmp_path,
        """
        id: a
        namespace: b
        tasks:
          - {id: a, type: io.kestra.core.tasks.scripts.Bash, dockerOptions: {image: one}}
          - {id: b, type: scripts.shell.Commands, containerImage: two, docker: {image: no}}
          - {id: c, type: scripts.go.Script, script: x}
        """,
    )

    assert flow.images() == {"one", "two", "golang"}


def test_a_flow_is_refused_before_it_is_asked_what_it_needs(tmp_path):
    wrong = _flow(tmp_path, "id: a\nnamespace: b\ntasks: [{id: x, type: core.log.Log}]\n")

    assert [problem.message for problem in Sorted([wrong], set()).problems(wrong)]


def _flow(folder, text):
    path = folder / "000-a.yaml"
    path.write_text(text, "utf-8")
    (flow,) = read_corpus(folder)
    assert isinstance(flow, CorpusFlow)
    return flow
