"""Puts a storage on this disk in the place of the site's own, for as long as files are collected.

It has the class of the site's own, so that names, contents and the manifest are the same, but for
what touches files: that is done in STATIC_ROOT.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from refusal import refusal
from staticsite import Unfit

MANIFEST = "staticfiles.json"
TOUCHING = (
    *("open", "save", "_open", "_save", "delete", "exists", "listdir", "path", "size"),
    *("get_accessed_time", "get_created_time", "get_modified_time"),
    *("get_available_name", "is_name_available"),
)


def use_twin(root: Path) -> list[str]:
    """Collect into `root` from here on. Returns warnings; Unfit if pages could not be released."""
    from django.contrib.staticfiles.storage import ManifestFilesMixin, staticfiles_storage

    twin = _twin(root)
    warnings = []
    if isinstance(twin, ManifestFilesMixin):
        _must_read_manifest_from(root, twin)
    else:
        warnings.append(
            f"{_named(twin)} puts no digest into names: visitors get a changed file as soon as it"
            " is sent, and a rollback does not bring the old one back"
        )
    staticfiles_storage._wrapped = twin
    return warnings


def _twin(root: Path) -> Any:
    from django.conf import settings
    from django.contrib.staticfiles.storage import StaticFilesStorage
    from django.core.files.storage import FileSystemStorage
    from django.utils.module_loading import import_string

    said = getattr(settings, "STORAGES", {}).get("staticfiles", {})
    try:
        own = import_string(said["BACKEND"])
    except KeyError:
        raise Unfit('STORAGES["staticfiles"] of the settings names no BACKEND') from None
    except ImportError as error:
        raise Unfit(f'STORAGES["staticfiles"] cannot be used: {error}') from None
    if issubclass(own, StaticFilesStorage):
        raise Unfit(
            f'static.mode is "storage", but {said["BACKEND"]} in STORAGES["staticfiles"] keeps'
            ' files on the host: name a storage for a bucket there, or set static.mode to "web"'
        )
    files = FileSystemStorage(location=root)
    members: dict[str, Any] = {name: staticmethod(getattr(files, name)) for name in TOUCHING}
    members |= {"__module__": own.__module__, "__qualname__": own.__qualname__}
    if issubclass(own, FileSystemStorage):
        members["location"] = files.location  # a folder there; in a bucket it is a part of URLs
    try:
        return type(own.__name__, (own,), members)(**said.get("OPTIONS", {}))
    except Exception as error:  # a project's own class may raise anything
        raise Unfit(refusal(error, 'STORAGES["staticfiles"]', None)) from None


def _must_read_manifest_from(root: Path, twin: Any) -> None:
    """Unfit unless each release has a manifest of its own, in the files that go to web hosts."""
    from django.core.files.storage import FileSystemStorage

    manifest = twin.manifest_storage
    where = "from the bucket" if manifest is twin else f"by {_named(manifest)}"
    if isinstance(manifest, FileSystemStorage):
        if Path(manifest.location).resolve() == root and twin.manifest_name == MANIFEST:
            return
        where = f"from {Path(manifest.location, twin.manifest_name)}"
    raise Unfit(
        f"{_named(twin)} would read its manifest {where}, which all releases share: give it the"
        f" option manifest_storage=FileSystemStorage(STATIC_ROOT), so that each reads its own,"
        f" {root.name}/{MANIFEST}"
    )


def _named(storage: Any) -> str:
    return f"{type(storage).__module__}.{type(storage).__qualname__}"
