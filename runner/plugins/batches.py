"""ForEachItem: a subflow for each batch of a file's lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Protocol, cast

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from runner.plugin import Fixed, Read, RunContext, Task, TaskError
from runner.plugins._splitting import Cut, split
from runner.plugins.flow import Flowable

_TYPE = "io.kestra.plugin.core.flow.ForEachItem"


class BatchContext(RunContext, Protocol):
    """What the attempt of the last part may do besides."""

    def batch_outputs(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Yield number and flow outputs of each batch's subflow that has some, in order."""

    def store_batch(self, number: int, content: bytes) -> None:
        """Store the outputs of one batch below the part that started it."""


class Batch(BaseModel):
    """How the file is cut; regexPattern before bytes, partitions, rows."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )

    rows: int | None = Field(default=None, ge=1, description="lines in a batch; default 1")
    partitions: int | None = Field(default=None, ge=1, description="how many batches")
    bytes: str | None = Field(default=None, description="size of a batch: 10KB, 1MB …")
    regex_pattern: str | None = Field(
        default=None, description="a batch for each value of the group in brackets"
    )
    separator: str = Field(default="\n", description="written behind each line")


class ForEachItem(Flowable):
    """Cut a file of lines into batches, and run a flow for each of them.

    Example:
        - id: each
          type: io.kestra.plugin.core.flow.ForEachItem
          items: "{{ inputs.file }}"
          batch:
            rows: 100
          namespace: company.team
          flowId: orders
          inputs:
            file: "{{ taskrun.items }}"
    """

    aliases = ("io.kestra.core.tasks.flows.ForEachItem",)
    lists = ("errors", "finally")
    ignored: ClassVar[Mapping[str, str]] = {
        "tasks": "'tasks' has no effect: put them into a flow of their own, which flowId names"
    }
    parts: ClassVar = (
        ("_split", f"{_TYPE}$ForEachItemSplit"),
        ("_items", f"{_TYPE}$ForEachItemExecutable"),
        ("_merge", f"{_TYPE}$ForEachItemMergeOutputs"),
    )

    type: Literal["io.kestra.plugin.core.flow.ForEachItem"] = (
        "io.kestra.plugin.core.flow.ForEachItem"
    )
    items: Annotated[str, Fixed()] = Field(
        min_length=1, description="URI of the file in internal storage"
    )
    batch: Annotated[Batch, Fixed()] = Field(default=Batch(), description="how it is cut")
    namespace: Annotated[str, Fixed()] = Field(
        min_length=1, description="namespace of the flow to run"
    )
    flow_id: Annotated[str, Fixed()] = Field(min_length=1, description="id of the flow to run")
    revision: Annotated[int | None, Fixed()] = Field(default=None, ge=1, description="of it")
    inputs: Annotated[dict[str, Any], Read.ASKED, Fixed()] = Field(
        default={}, description="its inputs; taskrun.items is the URI of the batch"
    )
    labels: Annotated[dict[str, Any] | list[Any] | None, Read.ASKED, Fixed()] = Field(
        default=None, description="a map, or a list of {key, value}"
    )
    wait: Annotated[bool, Read.STATIC] = Field(default=True, description="for their ends")
    transmit_failed: Annotated[bool, Read.STATIC] = Field(
        default=True, description="whether a failure of one is this task's"
    )
    inherit_labels: Annotated[bool, Read.STATIC] = Field(
        default=False, description="give them this execution's labels"
    )
    schedule_date: str | None = Field(default=None, description="not to start before")
    restart_behavior: Annotated[Literal["RETRY_FAILED", "NEW_EXECUTION"], Read.STATIC] = Field(
        default="RETRY_FAILED", description="what a restart does with failed batches"
    )


class ForEachItemSplit(Task):
    """The first part of a ForEachItem: cut the file."""

    type: Literal["io.kestra.plugin.core.flow.ForEachItem$ForEachItemSplit"] = (
        "io.kestra.plugin.core.flow.ForEachItem$ForEachItemSplit"
    )
    items: str = Field(description="URI of the file")
    batch: Batch = Field(default=Batch(), description="how it is cut")

    class Outputs(Task.Outputs):
        splits: str = Field(description="URI of a file with the URI of a batch in each line")

    def run(self, ctx: RunContext) -> Outputs:
        if not self.items.startswith("kestra://"):
            raise TaskError(
                f"Unable to split the items from {self.items}, this is not an internal storage URI!"
            )
        folder = ctx.working_dir / "parts"
        with ctx.files.open(self.items) as source:
            parts = split(source, self._cut(), folder)
        uris = [ctx.files.put(path, path.name) for path in parts]
        listing = "".join(f"{uri}\n" for uri in uris).encode()
        return self.Outputs(splits=ctx.files.put(listing, "splits.txt"))

    def _cut(self) -> Cut:
        batch = self.batch
        is_given = batch.regex_pattern or batch.bytes or batch.partitions or batch.rows
        rows = batch.rows if is_given else 1
        return Cut(batch.regex_pattern, batch.bytes, batch.partitions, rows, batch.separator)


class ForEachItemExecutable(Flowable):
    """The second part of a ForEachItem: start a subflow for each batch."""

    type: Literal["io.kestra.plugin.core.flow.ForEachItem$ForEachItemExecutable"] = (
        "io.kestra.plugin.core.flow.ForEachItem$ForEachItemExecutable"
    )


class ForEachItemMergeOutputs(Task):
    """The last part of a ForEachItem: put the outputs of the subflows into one file."""

    type: Literal["io.kestra.plugin.core.flow.ForEachItem$ForEachItemMergeOutputs"] = (
        "io.kestra.plugin.core.flow.ForEachItem$ForEachItemMergeOutputs"
    )

    class Outputs(Task.Outputs):
        subflow_outputs: str | None = Field(
            default=None, description="URI of a file with the outputs of a subflow in each line"
        )

    def run(self, ctx: RunContext) -> Outputs:
        batches = cast(BatchContext, ctx)
        merged = ctx.working_dir / "outputs.ion"
        with merged.open("wb") as target:
            for number, outputs in batches.batch_outputs():
                line = json.dumps(outputs, ensure_ascii=False, separators=(",", ":")).encode()
                batches.store_batch(number, line + b"\n")
                target.write(line + b"\n")
        if not merged.stat().st_size:
            return self.Outputs()
        return self.Outputs(subflow_outputs=ctx.files.put(merged, "outputs.ion"))
