"""Driving executions: the thin shell around the pure engine."""

from runner.executor.drive import Driven, drive, drive_many
from runner.executor.folding import WorkerIdentity

__all__ = ["Driven", "WorkerIdentity", "drive", "drive_many"]
