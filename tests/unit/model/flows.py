"""Small flows for the tests of the parser."""

from typing import Any

import yaml

from runner.model.parser import Parsed, parse_flow
from runner.registry import load

REGISTRY = load()
LOG = {"id": "log", "type": "io.kestra.plugin.core.log.Log", "message": "hello"}


def a_source(**changes: Any) -> str:
    """Return a valid flow's text with some of its properties changed."""
    flow = {"id": "flow", "namespace": "company.team", "tasks": [LOG], **changes}
    return as_yaml({key: value for key, value in flow.items() if value is not None})


def as_yaml(value: Any) -> str:
    """Write plain data without anchors."""
    return yaml.dump(value, Dumper=_Dumper, allow_unicode=True)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def parsed(source: str | None = None, **changes: Any) -> Parsed:
    """Parse a text, or the flow of `a_source`."""
    return parse_flow(a_source(**changes) if source is None else source, REGISTRY)


def faults(source: str | None = None, **changes: Any) -> list[tuple[str, str]]:
    """Return code and path of each error."""
    found = parsed(source, **changes).problems
    return [(one.code, one.path) for one in found if one.severity == "error"]
