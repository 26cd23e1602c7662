"""Storage in a bucket of S3, or of what speaks like it. Boto3's own variables say where and who."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from runner.errors import NotFound, Unavailable
from runner.storage.base import Stored, checked_path, checked_prefix

boto3: Any = importlib.import_module("boto3")  # has no types
_exceptions: Any = importlib.import_module("botocore.exceptions")
_FAILURES = (_exceptions.BotoCoreError, _exceptions.ClientError)
_MISSING = frozenset({"404", "NoSuchKey", "NotFound"})
_IN_MEMORY = 1024 * 1024
_AT_ONCE = 1000


class S3Storage:
    """Objects below a prefix. S3 replaces an object at once."""

    is_shared = True

    def __init__(self, bucket: str, prefix: str = "", client: Any = None) -> None:
        self._bucket = bucket
        self._prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        self._client = client or boto3.client("s3")

    def put(self, path: str, source: BinaryIO) -> Stored:
        """Send it, in parts if it is large."""
        key = self._key(checked_path(path))
        try:
            self._client.upload_fileobj(source, self._bucket, key)
        except _FAILURES as exc:
            raise Unavailable(f"cannot store {path}: {exc}") from exc
        return self.stat(path)

    def open(self, path: str) -> BinaryIO:
        """Fetch it into a temporary file, since it must be seekable. Raises NotFound."""
        key = self._key(checked_path(path))
        file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - the caller closes
        try:
            self._client.download_fileobj(self._bucket, key, file)
        except _FAILURES as exc:
            file.close()
            raise _error(path, exc) from exc
        file.seek(0)
        return cast(BinaryIO, file)

    def stat(self, path: str) -> Stored:
        """Return size and time. Raises NotFound."""
        try:
            head = self._client.head_object(Bucket=self._bucket, Key=self._key(checked_path(path)))
        except _FAILURES as exc:
            raise _error(path, exc) from exc
        return Stored(path, head["ContentLength"], head["LastModified"])

    def list(self, prefix: str) -> Iterator[Stored]:
        """Yield the files below a folder, by path."""
        pages = self._client.get_paginator("list_objects_v2")
        where = {"Bucket": self._bucket, "Prefix": self._key(checked_prefix(prefix))}
        for page in pages.paginate(**where):
            for item in page.get("Contents", ()):
                path = "/" + item["Key"].removeprefix(self._prefix)
                yield Stored(path, item["Size"], item["LastModified"])

    def delete(self, path: str) -> bool:
        """Remove a file; True if there was one."""
        try:
            self.stat(path)
        except NotFound:
            return False
        self._client.delete_object(Bucket=self._bucket, Key=self._key(path))
        return True

    def delete_all(self, prefix: str) -> int:
        """Remove the files below a folder."""
        keys = [{"Key": self._key(stored.path)} for stored in self.list(prefix)]
        for start in range(0, len(keys), _AT_ONCE):
            some = {"Objects": keys[start : start + _AT_ONCE], "Quiet": True}
            self._client.delete_objects(Bucket=self._bucket, Delete=some)
        return len(keys)

    def _key(self, path: str) -> str:
        return self._prefix + path[1:]


def _error(path: str, exc: Exception) -> Exception:
    if isinstance(exc, _exceptions.ClientError) and exc.response["Error"]["Code"] in _MISSING:
        return NotFound(f"there is no file {path}")
    return Unavailable(f"the object store does not answer: {exc}")
