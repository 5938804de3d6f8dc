"""The site's own storage of static files, as a place that is listed, read and written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from contents import Index, Stamp, index_of, index_text
from refusal import refusal
from staticsite import Unfit

INDEX = "fab-deploy-index.json"
"""Where the bucket keeps what its listing does not tell."""
THREADS = 10
"""As many connections as botocore keeps; a project may have it keep more, but seldom fewer."""
EACH = 4
"""So many files for each further thread: to connect takes as long as sending a few."""


def site_bucket() -> Bucket:
    """The bucket of the site's own storage, as its pages use it. Unfit if it cannot be made."""
    from django.contrib.staticfiles.storage import staticfiles_storage

    try:
        staticfiles_storage._setup()
    except Exception as error:  # whatever a project's own class raises is said, not shown
        raise Unfit(refusal(error, 'STORAGES["staticfiles"]', None)) from None
    storage = staticfiles_storage._wrapped
    s3 = any(one.__module__.startswith("storages.backends.s3") for one in type(storage).__mro__)
    return S3(storage) if s3 else Bucket(storage)


class Bucket:
    """What any storage of Django's can do. Its files are told by names and by the index alone."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage
        self._index: Index | None = None
        self._saved: set[str] = set()
        self.lists = True

    @property
    def says(self) -> str:
        """How messages call it; `lists` is whether its listing can be had."""
        return f"the storage {type(self._storage).__qualname__}"

    def asked(self, ask: Callable[[], Any]) -> Any:
        """What the storage answers. Unfit with one sentence, whatever it raises."""
        try:
            return ask()
        except Unfit:
            raise
        except Exception as error:  # each storage has errors of its own
            raise Unfit(refusal(error, self.says, self._storage)) from None

    def each(
        self,
        names: list[str],
        work: Callable[[str], None],
        done: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`work` on each name, many at once; the first that fails ends it with Unfit."""
        with ThreadPoolExecutor(min(THREADS, 1 + len(names) // EACH)) as pool:
            try:
                running = {pool.submit(work, name): name for name in names}
                for one in as_completed(running):
                    self.asked(one.result)
                    done(running[one])
            except BaseException:  # also a signal: a file that is being replaced is not left away
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def listing(self, folder: str = "") -> dict[str, Stamp]:
        """All files below it; of a storage that cannot list, all that it is known to have."""
        try:
            return {name: Stamp() for name in self._below(folder)}
        except NotImplementedError:
            self.lists = False
            return dict.fromkeys({*self.index(), *self._saved}, Stamp())

    def _below(self, folder: str) -> Iterator[str]:
        try:
            folders, files = self._storage.listdir(folder)
        except FileNotFoundError:
            return
        yield from (f"{folder}{name}" for name in files)
        for name in folders:
            yield from self._below(f"{folder}{name}/")

    def put(self, name: str, file: Path, *, replace: bool) -> None:
        """Save a file, as the storage is set up to save it."""
        from django.core.files import File

        with file.open("rb") as stream:
            self._save(name, File(stream, name), replace)
        self._saved.add(name)

    def _save(self, name: str, content: Any, replace: bool) -> None:
        """Under this very name. What was there stays until it is known that ours can be saved."""
        from django.core.files.base import ContentFile

        if not ((replace or not self.lists) and self._storage.exists(name)):
            self._save_as(name, content)
            return
        ours = content.read()
        if self.read(name) == ours:
            return
        if not replace:
            raise Unfit(f"{self.says} has another {name} already")
        saved = self._storage.save(name, ContentFile(ours, name))
        if saved.replace("\\", "/") == name:
            return
        # It overwrites nothing, so visitors miss the file until it is saved a second time.
        try:
            self._storage.delete(name)
            self._save_as(name, ContentFile(ours, name))
        finally:
            self._storage.delete(saved)

    def _save_as(self, name: str, content: Any) -> None:
        saved = self._storage.save(name, content)
        if saved.replace("\\", "/") != name:
            self._storage.delete(saved)
            raise Unfit(f"{self.says} has another {name} already and would save ours as {saved}")

    def read(self, name: str) -> bytes:
        """The content of a file, as it was before the storage may have compressed it."""
        with self._storage.open(name, "rb") as file:
            content: bytes = file.read()
        return content

    def write(self, name: str, text: str) -> None:
        """Keep a text of our own there."""
        from django.core.files.base import ContentFile

        self._save(name, ContentFile(text.encode(), name), replace=True)

    def delete(self, name: str) -> None:
        """Take a file away."""
        self._storage.delete(name)

    def url(self, name: str) -> str:
        """Where visitors ask for a file by the name that it has in the bucket."""
        from django.contrib.staticfiles.storage import HashedFilesMixin

        hashed = isinstance(self._storage, HashedFilesMixin)
        storage = super(HashedFilesMixin, self._storage) if hashed else self._storage
        url: str = storage.url(name)
        return url

    def path(self, name: str) -> str:
        """The path under which visitors ask for a file without a digest in its name."""
        from urllib.parse import urlsplit

        return urlsplit(self.url(name)).path

    def index(self) -> Index:
        """What is kept of files whose listing does not tell their content; asked for once."""
        if self._index is None:
            try:
                self._index = index_of(self.read(INDEX))
            except FileNotFoundError:
                self._index = {}
        return self._index

    def keep(self, index: Index) -> None:
        """Keep another index, if it is another one."""
        if index != self.index():
            self.write(INDEX, index_text(index))
            self._index = index


class S3(Bucket):
    """A bucket that tells name, size and ETag of a thousand files in one answer."""

    @property
    def says(self) -> str:
        """How messages call it."""
        return f"the bucket {self._storage.bucket_name}"

    def listing(self, folder: str = "") -> dict[str, Stamp]:
        """All files below a folder, which ends with a slash."""
        prefix = self._storage._normalize_name("x")[:-1]
        client = self._storage.bucket.meta.client
        pages = client.get_paginator("list_objects_v2").paginate(
            Bucket=self._storage.bucket_name, Prefix=f"{prefix}{folder}"
        )
        return {
            entry["Key"][len(prefix) :]: Stamp(entry["Size"], entry["ETag"].strip('"'))
            for page in pages
            for entry in page.get("Contents", ())
        }

    def _save(self, name: str, content: Any, replace: bool) -> None:  # noqa: ARG002 - S3 replaces
        # As Django's own collectstatic does with files whose names it has made: never another name.
        self._storage._save(name, content)
