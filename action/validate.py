"""Validating a folder of flows, by the server where one is named, else by `headrace validate`."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from errors import ActionFailed
from server import Server
from settings import Settings
from workflow import Workflow


@dataclass(frozen=True)
class Finding:
    """One problem of one file."""

    file: Path
    message: str
    line: int | None = None
    column: int | None = None


def folder(settings: Settings, server: Server | None, workflow: Workflow) -> int:
    """Print each finding with an annotation; return 1 if there is any."""
    files = list(flow_files(settings.directory))
    if not files:
        raise ActionFailed(f"directory: {settings.directory} has no .yml or .yaml file")
    findings = _by_server(files, server) if server else _locally(files, settings.headrace)
    for finding in findings:
        _print(finding, workflow)
    failed = len({finding.file for finding in findings})
    workflow.output("failed", str(failed))
    workflow.summary(_summary(len(files), failed, findings))
    workflow.say(f"{len(files)} files, {failed} with problems")
    return 1 if findings else 0


def flow_files(directory: Path) -> Iterator[Path]:
    """Yield the YAML files below, without hidden folders, namespace files and settings."""
    if not directory.is_dir():
        raise ActionFailed(f"directory: there is no folder {directory}")
    for path, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if name != "_files" and name[0] != ".")
        for name in sorted(names):
            if name.endswith((".yml", ".yaml")) and name[0] != "." and name != "headrace.yaml":
                yield Path(path, name)


def _by_server(files: list[Path], server: Server) -> list[Finding]:
    return [
        Finding(file, message)
        for file in files
        for result in server.validate(file.read_bytes())
        for message in result.get("constraints", "").splitlines()
    ]


def _locally(files: list[Path], headrace: str) -> list[Finding]:
    done = subprocess.run(
        [headrace, "validate", "--json", "--", *map(str, files)], stdout=subprocess.PIPE, text=True
    )
    try:
        results = json.loads(done.stdout)
    except ValueError as exc:
        raise ActionFailed(f"headrace validate ended with {done.returncode}") from exc
    return [
        Finding(
            Path(result["file"]), problem["message"], problem.get("line"), problem.get("column")
        )
        for result in results
        if not result["valid"]
        for problem in result["problems"]
    ]


def _print(finding: Finding, workflow: Workflow) -> None:
    path = os.path.relpath(finding.file)
    place = path if finding.line is None else f"{path}:{finding.line}"
    workflow.error(finding.message, file=path, line=finding.line, col=finding.column)
    workflow.say(f"{place}: {finding.message}")


def _summary(files: int, failed: int, findings: list[Finding]) -> str:
    lines = [f"### {files} flow files, {failed} with problems", ""]
    for finding in findings:
        message = finding.message.replace("\n", " ").replace("`", "'")
        lines.append(f"- `{os.path.relpath(finding.file)}:{finding.line or 1}` `{message}`")
    return "\n".join(lines)
