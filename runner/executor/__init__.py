"""Driving executions: the thin shell around the pure engine."""

from runner.executor.drive import Driven, drive, drive_many, go_on
from runner.executor.folding import Folding, WorkerIdentity

__all__ = ["Driven", "Folding", "WorkerIdentity", "drive", "drive_many", "go_on"]
