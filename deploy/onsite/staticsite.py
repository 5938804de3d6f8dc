"""Starts Django on this machine for the sake of a site's static files, and says why it is unfit."""

from __future__ import annotations

import os
import sys
from pathlib import Path

OURS = ("bucket", "contents", "envfile", "held", "refusal", "staticsite", "twin")


class Unfit(Exception):
    """The site's static files cannot be released as they are; the message is for its developer."""


def enter(here: Path, settings: str) -> None:
    """Make this process one of the release in `here`, whose modules may have our names."""
    sys.path[0] = str(here)
    for name in OURS:
        sys.modules.pop(name, None)
    os.environ["DJANGO_SETTINGS_MODULE"] = settings


def static_root(here: Path) -> Path:
    """STATIC_ROOT, which must lie inside the release. Starts Django."""
    import django
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured

    name = os.environ["DJANGO_SETTINGS_MODULE"]
    try:
        django.setup()
    except (ImproperlyConfigured, ImportError, KeyError, SyntaxError) as error:
        raise Unfit(f"{name} cannot be loaded: {type(error).__name__}: {error}") from None
    if "django.contrib.staticfiles" not in settings.INSTALLED_APPS:
        raise Unfit(f"django.contrib.staticfiles is not in INSTALLED_APPS of {name}")
    if not settings.STATIC_ROOT:
        raise Unfit(f"STATIC_ROOT is not set in {name}: nowhere to collect to")
    root = Path(settings.STATIC_ROOT).resolve()
    if here not in root.parents:
        raise Unfit(f"STATIC_ROOT of {name} is {root}: it must lie inside the project, {here}")
    return root


def one_line(error: object) -> str:
    """What is said, on one line."""
    return " ".join(str(error).split()) + "\n"
