"""What to write instead of properties and types that are often invented."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from runner.model.names import nearest


@dataclass(frozen=True, slots=True)
class Advice:
    """*text* helps if the object knows the property *needs* (empty: always)."""

    text: str
    needs: str = ""


_CONDITION = Advice('write runIf with an expression: runIf: "{{ … }}"', "runIf")
_ORDER = Advice(
    "tasks of a list run one after the other: put them in order, or into a core.flow.Dag", "runIf"
)
_FAILURE = Advice("write allowFailure: true", "allowFailure")
_FOLDER = Advice(
    "a script runs in a fresh folder: begin with cd, or share one by core.flow.WorkingDirectory",
    "containerImage",
)
_VERSION = Advice("name the version by the image: containerImage", "containerImage")
_IMAGE = Advice("write containerImage", "containerImage")
_ENVIRONMENT = Advice("write env", "env")
_COMMANDS = Advice("write commands, a list", "commands")
_FILES = Advice("write inputFiles", "inputFiles")
_ERRORS = Advice("put tasks for failures into the flow's list 'errors'", "runIf")

_FLOWS = Advice(
    "say which flows in preconditions: {id: …, flows: [{namespace: …, flowId: …}]}", "preconditions"
)
_PROPERTIES = {
    "condition": _CONDITION, "when": _CONDITION, "if": _CONDITION, "onlyif": _CONDITION,
    "dependson": _ORDER, "depends_on": _ORDER, "needs": _ORDER, "after": _ORDER,
    "ignorefailure": _FAILURE, "ignoreerrors": _FAILURE, "continueonerror": _FAILURE,
    "continue_on_error": _FAILURE, "failonerror": _FAILURE,
    "workingdirectory": _FOLDER, "workingdir": _FOLDER, "workdir": _FOLDER, "cwd": _FOLDER,
    "nodeversion": _VERSION, "rubyversion": _VERSION, "goversion": _VERSION,
    "image": _IMAGE, "dockerimage": _IMAGE, "container": _IMAGE,
    "environment": _ENVIRONMENT, "envvars": _ENVIRONMENT, "envs": _ENVIRONMENT,
    "command": _COMMANDS, "cmd": _COMMANDS, "run": _COMMANDS,
    "files": _FILES, "artifacts": Advice("write outputFiles, a list of patterns", "outputFiles"),
    "requirements": Advice("write dependencies, a list of packages", "dependencies"),
    "packages": Advice("write dependencies, a list of packages", "dependencies"),
    "retries": Advice("write retry: {type: constant, interval: PT1M, maxAttempts: 3}", "retry"),
    "maxattempts": Advice("write retry: {type: constant, interval: PT1M, maxAttempts: 3}", "retry"),
    "onfailure": _ERRORS, "onerror": _ERRORS, "on_failure": _ERRORS, "catch": _ERRORS,
    "properties": Advice("put what is in it beside 'type'", "runIf"),
    "config": Advice("put what is in it beside 'type'", "runIf"),
    "name": Advice("the name of a task is its id; more goes into description", "runIf"),
    "allowedvalues": Advice("write type: SELECT with values", "defaults"),
    "enum": Advice("write type: SELECT with values", "defaults"),
    "default": Advice("write defaults", "defaults"),
    "flowid": _FLOWS, "namespace": _FLOWS, "flow": _FLOWS,
    "extend": Advice("it is text of a catalogue: take it away", "pluginDefaults"),
    "editable": Advice("the label system.readOnly says that a flow is not", "pluginDefaults"),
    "tasks": Advice("put them into a flow of their own, which flowId names", "flowId"),
    "key": Advice("the limit is for all executions of the flow", "limit"),
}  # fmt: skip

_TYPES = {
    "Manual": "every flow can be started by hand: no trigger is needed for that",
    "ManualTrigger": "every flow can be started by hand: no trigger is needed for that",
    "Cron": "write core.trigger.Schedule with cron",
    "Http": "write core.http.Request",
    "HttpRequest": "write core.http.Request",
    "Bash": "write scripts.shell.Commands",
    "Shell": "write scripts.shell.Commands",
    "Email": "write notifications.mail.MailSend",
    "Try": "put the tasks into a core.flow.Sequential with errors",
    "TryCatch": "put the tasks into a core.flow.Sequential with errors",
    "While": "write core.flow.LoopUntil",
    "For": "write core.flow.ForEach",
    "Each": "write core.flow.ForEach",
}


def about_property(name: str, known: Collection[str]) -> str:
    """Return how to mend a property that an object does not have, for the end of a message."""
    advice = _PROPERTIES.get(name.lower())
    if advice is not None and (not advice.needs or advice.needs in known):
        return f": {advice.text}"
    near = nearest(name, known)
    return f", did you mean '{near}'?" if near else ""


_WITHOUT = {
    "Template": "templates are deprecated, and off in Kestra too: write their tasks as a flow, and "
    "start it with a Subflow",
}


def not_yet(name: str) -> str:
    """Say that a type of Kestra is not there, and what to do without it."""
    way_out = _WITHOUT.get(name.rpartition(".flow.")[2])
    return f"the type {name} is not available yet" + (f": {way_out}" if way_out else "")


def about_type(name: str) -> str | None:
    """Return what to write instead of a type that there never was."""
    return _TYPES.get(name.rpartition(".")[2])
