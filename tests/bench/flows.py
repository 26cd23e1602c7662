"""The fixed workloads (names as in the goals: B1, B2, B3, R40, W40)."""

_HEAD = "id: {id}\nnamespace: bench\n"
_WEBHOOK = (
    "triggers:\n  - id: hook\n    type: io.kestra.plugin.core.trigger.Webhook\n    key: bench\n"
)

B1 = (
    _HEAD.format(id="b1")
    + _WEBHOOK
    + """tasks:
  - id: values
    type: io.kestra.plugin.core.output.OutputValues
    values:
      who: "{{ trigger.body.who }}"
  - id: log
    type: io.kestra.plugin.core.log.Log
    message: "hello {{ outputs.values.values.who }}"
"""
)

B2 = (
    _HEAD.format(id="b2")
    + _WEBHOOK
    + "tasks:\n"
    + "".join(
        f"""  - id: if{n}
    type: io.kestra.plugin.core.flow.If
    condition: "{{{{ trigger.body.who == 'bench' }}}}"
    then:
      - id: log{n}
        type: io.kestra.plugin.core.log.Log
        message: "branch {n}"
"""
        for n in range(5)
    )
)


def b3(values: int) -> str:
    """A ForEach over many values, unbounded."""
    return (
        _HEAD.format(id=f"b3-{values}")
        + f"""tasks:
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    concurrencyLimit: 0
    values: "{{{{ range(1, {values}) }}}}"
    tasks:
      - id: values
        type: io.kestra.plugin.core.output.OutputValues
        values:
          value: "{{{{ taskrun.value }}}}"
"""
    )


R40 = (
    _HEAD.format(id="r40")
    + "tasks:\n"
    + "".join(
        f"  - id: t{n}\n    type: io.kestra.plugin.core.debug.Return\n    format: value {n}\n"
        for n in range(40)
    )
)

_PROCESS = "{type: io.kestra.plugin.core.runner.Process}"


def w40(runner: str, image: str | None = None) -> str:
    """Forty light scripts in a row."""
    task_runner = _PROCESS
    if runner == "docker":
        docker = "io.kestra.plugin.scripts.runner.docker.Docker"
        task_runner = f"{{type: {docker}, pullPolicy: NEVER, networkMode: none}}"
    more = f"    containerImage: {image}\n" if image else ""
    return (
        _HEAD.format(id=f"w40-{runner}")
        + "tasks:\n"
        + "".join(
            f"  - id: t{n}\n    type: io.kestra.plugin.scripts.shell.Commands\n"
            f'    taskRunner: {task_runner}\n{more}    commands: ["true"]\n'
            for n in range(40)
        )
    )
