"""Real flows of the corpus: what a file holds, and what it needs from outside to run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

WORD = "corpus"
PROCESSES = "headrace-corpus:processes"
OURS = re.compile(r"^io\.kestra\.(plugin\.(core|scripts)\.|core\.)")
_TYPE = re.compile(r"^[a-z]\w*(\.\w+)+$")
_CATALOGUE = re.compile(r"^extend:.*?(?=^[^\s#]|\Z)", re.MULTILINE | re.DOTALL)
_NETWORK = re.compile(
    r"\b(curl|wget|axios|urlopen|aiohttp|httpx|smtplib|playwright|kaggle|dlt)\b|\bfetch\(|"
    r"\brequests\.|read_(csv|json|parquet|excel)\(f?.https?:|git (clone|push)|\bgcloud\b|\bssh\b"
)
_INSTALLS = re.compile(
    r"\bpip3? install\b|\buv (pip|run|sync|add)\b|\bnpm (ci|i|install)\b|\byarn (add|install)\b|"
    r"\bapt(-get)? (update|install)\b|\bapk add\b|\bgo (get|mod tidy|install)\b|\bnpx\b"
)
_EXPRESSION = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_DOCKER = "io.kestra.plugin.scripts.runner.docker."
_HTTP = re.compile(r"\.http\.\w+$")
_SUBFLOWS = re.compile(r"\.(flow\.Subflow|flow\.ForEachItem|flows\.Flow|flows\.Subflow)$")
_LOOPS = re.compile(r"\.(ForEach|EachParallel|EachSequential)$")
_DEFAULT_IMAGES = {
    "python": "python:3.13-slim",
    "node": "node",
    "shell": "ubuntu",
    "go": "golang",
    "Bash": "ubuntu",
    "Python": "python:3.13-slim",
    "Node": "node",
}

Json = Mapping[str, Any]


@dataclass(frozen=True)
class CorpusFlow:
    """One file."""

    path: Path
    text: str = field(repr=False)

    @property
    def number(self) -> str:
        return self.path.name[:3]

    @cached_property
    def flow(self) -> Json | None:
        """The file as data, None if it is no flow."""
        try:
            found = yaml.load(self.text, Loader=_AsWritten)
        except yaml.YAMLError:
            return None
        return found if isinstance(found, dict) and "id" in found else None

    @property
    def key(self) -> tuple[str, str]:
        assert self.flow is not None
        return str(self.flow.get("namespace") or WORD), str(self.flow["id"])

    @cached_property
    def types(self) -> frozenset[str]:
        """Full names of all types: tasks, triggers, conditions, runners."""
        return frozenset(_full(name) for name in _types(self.flow))

    @property
    def foreign(self) -> list[str]:
        """Types of other plugins than Kestra's core and scripts."""
        return sorted(name for name in self.types if not OURS.match(name))

    @cached_property
    def scripts(self) -> list[Json]:
        """Its script tasks."""
        return [
            {**found, "type": _full(found["type"])}
            for found in _maps(self.flow)
            if isinstance(found.get("type"), str) and _is_script(_full(found["type"]))
        ]

    @property
    def subflows(self) -> list[tuple[str, str]]:
        """Namespace and id of the flows that it calls; those that are expressions are left out."""
        assert self.flow is not None
        calls = [
            (str(found.get("namespace") or self.key[0]), str(found.get("flowId")))
            for found in _maps(self.flow)
            if isinstance(found.get("type"), str) and _SUBFLOWS.search(found["type"])
        ]
        rendered = ((re.sub(r"\{\{\s*flow\.namespace\s*\}\}", self.key[0], n), f) for n, f in calls)
        return [call for call in rendered if "{{" not in "".join(call)]

    def runners(self) -> set[str]:
        """``process`` and ``docker``, as its script tasks say."""
        return {"process" if _is_process(task) else "docker" for task in self.scripts}

    def images(self) -> set[str]:
        """Images of its containers; that for processes, if it has nothing else."""
        if self.runners() == {"process"}:
            return {PROCESSES}
        return {_image(task) for task in self.scripts}

    def asks(self, name: str) -> list[str]:
        """Names that its expressions ask a function for: secrets, keys."""
        return sorted(set(re.findall(rf"\b{name}\(\s*['\"]([^'\"]+)['\"]", self.text)))

    def variables(self, name: str) -> list[str]:
        """What its expressions read below a variable, as paths."""
        inside = " ".join(_EXPRESSION.findall(self.text))
        return sorted(set(re.findall(rf"(?<![\w.]){name}\.([A-Za-z_][\w.]*)", inside)))

    def needs(self, images: set[str]) -> list[str]:
        """Say what it needs from outside; *images* are here."""
        return list(dict.fromkeys(self._needs(images)))

    def _needs(self, images: set[str]) -> Iterator[str]:
        if any(_HTTP.search(name) for name in self.types if ".trigger." not in name):
            yield "HTTP"
        if any("://" in text for found in _maps(self.flow) for text in _values(found)):
            yield "data from the web"
        for task in self.scripts:
            yield from _needs_of(task)
        for image in sorted(self.images() - images):
            yield f"image {image}"
        for name in self.asks("read"):
            if "://" not in name:
                yield "namespace files"


class _AsWritten(yaml.SafeLoader):
    """Takes dates and times as texts."""


_AsWritten.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_corpus(folder: Path) -> list[CorpusFlow]:
    """Return all files, without the vendor's catalogue texts."""
    return [
        CorpusFlow(path, _CATALOGUE.sub("", path.read_text("utf-8")))
        for path in sorted(folder.glob("*.yaml"))
    ]


def _needs_of(task: Json) -> Iterator[str]:
    words = [name for name in ("dependencies", "requirements") if task.get(name)]
    texts = " ".join(_texts(task))
    if words or _INSTALLS.search(texts):
        yield "installs packages"
    if _NETWORK.search(_EXPRESSION.sub("", texts)) or re.search(r"https?://", texts):
        yield "network in the script"
    runner = task.get("taskRunner") or task.get("docker") or {}
    if runner.get("networkMode"):
        yield "a Docker network"
    if runner.get("volumes"):
        yield "folders of its host"
    if task.get("namespaceFiles"):
        yield "namespace files"


def _texts(task: Json) -> Iterator[str]:
    for name in ("script", "commands", "beforeCommands", "inputFiles"):
        yield str(task.get(name) or "")


def _values(found: Json) -> Iterator[str]:
    """What a loop goes over."""
    if _LOOPS.search(str(found.get("type"))):
        yield str(found.get("values") or found.get("value"))


def _is_script(name: str) -> bool:
    return bool(re.search(r"\.plugin\.scripts\.(?!runner\.)|\.core\.tasks\.scripts\.", name))


def _is_process(task: Json) -> bool:
    named = str((task.get("taskRunner") or {}).get("type", ""))
    return "Process" in named or (not named and task.get("runner") == "PROCESS")


def _image(task: Json) -> str:
    """Return the image that a task names, by its old ways too, or its language's default."""
    places = (task.get("taskRunner"), task.get("dockerOptions"), task.get("docker"))
    named = [task.get("containerImage"), *((place or {}).get("image") for place in places)]
    language, _, kind = task["type"].rpartition(".")
    default = _DEFAULT_IMAGES.get(language.rpartition(".")[2]) or _DEFAULT_IMAGES.get(kind)
    return next((str(image) for image in named if image), default or task["type"])


def _full(name: str) -> str:
    return name if name.startswith("io.") else f"io.kestra.plugin.{name}"


def _types(value: Any) -> Iterator[str]:
    for found in _maps(value):
        if isinstance(name := found.get("type"), str) and _TYPE.match(name):
            yield name


def _maps(value: Any) -> Iterator[Json]:
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from _maps(item)
    elif isinstance(value, list):
        for item in value:
            yield from _maps(item)
