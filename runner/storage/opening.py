"""Choosing the storage that the settings name."""

from __future__ import annotations

from pathlib import Path

from runner.errors import SettingsInvalid
from runner.storage.base import Storage
from runner.storage.database import DatabaseStorage, Tables


def open_storage(setting: str, home: Path, database: Tables | None = None) -> Storage:
    """Return the storage that *setting* names.

    ``""`` is the folder `storage` in *home*, ``database`` chunks in *database*, ``s3://BUCKET/PREFIX``
    a bucket, ``SCHEME://…`` another file system of fsspec; else it is a folder, relative to *home*.

    Raises:
        SettingsInvalid: it cannot be used here; the message says what to install or to set.
    """
    if setting == "database":
        return _in_database(database)
    scheme, separator, rest = setting.partition("://")
    if not separator:
        from runner.storage.folder import FolderStorage

        return FolderStorage(home / (setting or "storage"))
    if scheme == "s3":
        return _in_s3(rest)
    from runner.storage.fsspec_backed import FsspecStorage, filesystem

    return FsspecStorage(filesystem(scheme, setting), rest)


def _in_database(database: Tables | None) -> Storage:
    if database is None:
        raise SettingsInvalid("the storage is set to database, but no database was handed over")
    return DatabaseStorage(database)


def _in_s3(place: str) -> Storage:
    try:
        from runner.storage.s3 import S3Storage
    except ModuleNotFoundError as exc:
        raise SettingsInvalid(
            "the storage s3://… needs boto3: pip install 'headrace[aws]'"
        ) from exc
    bucket, _, prefix = place.partition("/")
    if not bucket:
        raise SettingsInvalid("the storage s3:// needs a bucket: s3://BUCKET/PREFIX")
    return S3Storage(bucket, prefix)
