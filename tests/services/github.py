"""A stand-in for GitHub's runner: does the steps of a composite action as GitHub would.

Source: GitHub's documentation, "Metadata syntax for GitHub Actions", "Workflow commands" and
"Expressions". Of expressions it knows names, texts, `==`, `!=`, `&&`, `||` and `!`.
"""

import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import yaml

_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_WORD = re.compile(r"\s*('(?:[^']|'')*'|==|!=|&&|\|\||!|[\w.-]+)")
_COMMAND = re.compile(r"::([\w-]+)(?: ([^:]*))?::(.*)")
_SYSTEM = ("PATH", "HOME", "LANG", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
_PIP = ("PIP_", "pip_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http", "https", "no_proxy")


@dataclass
class Outcome:
    """What a job sees of an action that has run."""

    succeeded: bool
    log: str
    outputs: dict[str, str]
    annotations: list[dict[str, str]]
    """Each with kind, message and the place's keys."""
    summary: str


@dataclass
class Runner:
    """A machine of GitHub's: *workspace* is the checked-out repository, *temp* is scratch."""

    action: Path
    workspace: Path
    temp: Path
    steps: dict[str, dict[str, str]] = field(default_factory=dict)
    """Outputs by the step's id."""

    def run(self, **given: str) -> Outcome:
        """Use the action with the inputs *given*, to the first step that fails."""
        manifest = yaml.safe_load((self.action / "action.yml").read_text())
        unknown = set(given) - set(manifest["inputs"])
        assert not unknown, f"the action has no input {unknown}"
        inputs = {name: str(spec.get("default", "")) for name, spec in manifest["inputs"].items()}
        context = {f"inputs.{name}": value for name, value in (inputs | given).items()}
        context |= {"runner.temp": str(self.temp), "github.action_path": str(self.action)}
        logs, succeeded, summary = [], True, ""
        for number, step in enumerate(manifest["runs"]["steps"]):
            if not _condition(step.get("if", "true"), context):
                continue
            done, outputs, added = self._step(number, step, context)
            logs.append(done.stdout)
            summary += added
            identifier = step.get("id", f"__{number}")
            context |= {f"steps.{identifier}.outputs.{key}": v for key, v in outputs.items()}
            if done.returncode != 0:
                succeeded = False
                break
        outputs = {
            name: _fill(spec["value"], context) for name, spec in manifest["outputs"].items()
        }
        log = "".join(logs)
        return Outcome(succeeded, log, outputs, _annotations(log), summary)

    def _step(self, number, step, context):
        files = {
            name: self.temp / f"{name}-{number}"
            for name in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY")
        }
        for path in files.values():
            path.touch()
        script = self.temp / f"step-{number}.sh"
        script.write_text(_fill(step["run"], context))
        own = {name: _fill(str(value), context) for name, value in step.get("env", {}).items()}
        assert step["shell"] == "bash"
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", script],
            cwd=self.workspace,
            env=self._environment() | {name: str(path) for name, path in files.items()} | own,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        outputs = _assignments(files["GITHUB_OUTPUT"].read_text())
        return done, outputs, files["GITHUB_STEP_SUMMARY"].read_text()

    def _environment(self):
        system = {n: v for n, v in os.environ.items() if n in _SYSTEM or n.startswith(_PIP)}
        return system | {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION_PATH": str(self.action),
            "GITHUB_WORKSPACE": str(self.workspace),
            "RUNNER_TEMP": str(self.temp),
        }


def _fill(text, context):
    return _EXPRESSION.sub(lambda found: str(_evaluate(found[1], context)), text)


def _condition(text, context):
    found = _EXPRESSION.fullmatch(text.strip())
    return bool(_evaluate(found[1] if found else text, context))


def _evaluate(text, context):
    words = _WORD.findall(text)
    value, rest = _either(words, context)
    assert not rest, f"this stand-in cannot read the expression {text!r}"
    return value


def _either(words, context):
    left, words = _both(words, context)
    while words[:1] == ["||"]:
        right, words = _both(words[1:], context)
        left = left or right
    return left, words


def _both(words, context):
    left, words = _comparison(words, context)
    while words[:1] == ["&&"]:
        right, words = _comparison(words[1:], context)
        left = left and right
    return left, words


def _comparison(words, context):
    left, words = _value(words, context)
    if words[:1] in (["=="], ["!="]):
        right, rest = _value(words[1:], context)
        equal = str(left).lower() == str(right).lower()  # GitHub ignores case
        return equal is (words[0] == "=="), rest
    return left, words


def _value(words, context):
    word, rest = words[0], words[1:]
    if word == "!":
        value, rest = _value(rest, context)
        return not value, rest
    if word.startswith("'"):
        return word[1:-1].replace("''", "'"), rest
    if word in ("true", "false"):
        return word == "true", rest
    return context.get(word, ""), rest


def _assignments(text):
    """Read NAME=VALUE and NAME<<DELIMITER lines."""
    found, lines = {}, iter(text.splitlines())
    for line in lines:
        name, separator, delimiter = line.partition("<<")
        if not separator or "=" in name:
            name, _, found[name] = line.partition("=")
            continue
        value = []
        while (inner := next(lines)) != delimiter:
            value.append(inner)
        found[name] = "\n".join(value)
    return found


def _annotations(log):
    """Read the commands that GitHub would obey."""
    found, stopped = [], None
    for line in log.splitlines():
        command = _COMMAND.match(line.strip())
        if stopped is not None:
            stopped = None if line.strip() == f"::{stopped}::" else stopped
        elif command and command[1] == "stop-commands":
            stopped = command[3]
        elif command and command[1] in ("error", "warning", "notice"):
            pairs = (pair.split("=", 1) for pair in (command[2] or "").split(",") if pair)
            place = {key: _unescape(value) for key, value in pairs}
            found.append({"kind": command[1], "message": _unescape(command[3])} | place)
    return found


def _unescape(text):
    for code, plain in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, plain)
    return text
