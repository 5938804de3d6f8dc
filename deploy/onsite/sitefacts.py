"""What the settings say, and what Django makes of them. Django has started."""

from __future__ import annotations

import hashlib
import hmac
import logging
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from reachable import may_open_all_caches

PAGES = ("400", "403", "404", "500")
OURS = frozenset(
    f"security.W{number:03d}" for number in (4, 5, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 21)
)
"""Findings of `check --deploy` that have a check of their own, or (5, 21) are nobody's duty."""


def plain() -> dict[str, Any]:
    """Settings that can be told as they are."""
    from django.conf import settings

    return {
        "debug": bool(settings.DEBUG),
        "allowed_hosts": list(settings.ALLOWED_HOSTS),
        "default_from_email": settings.DEFAULT_FROM_EMAIL,
        "server_email": settings.SERVER_EMAIL,
        "static_root": str(settings.STATIC_ROOT or ""),
        "static_url": settings.STATIC_URL or "",
        "static_files": "django.contrib.staticfiles" in settings.INSTALLED_APPS,
        "https": _https(settings),
        "loaders": list(_loaders()),
        "admins": len(settings.ADMINS),
        "managers": len(settings.MANAGERS),
        "broken_links": _has(settings.MIDDLEWARE, "BrokenLinkEmailsMiddleware"),
        "session_engine": settings.SESSION_ENGINE.rpartition(".")[2],
        "session_cache": settings.SESSION_CACHE_ALIAS,
    }


def _https(settings: Any) -> dict[str, Any]:
    return {
        "redirect": bool(settings.SECURE_SSL_REDIRECT),
        "hsts": settings.SECURE_HSTS_SECONDS or 0,
        "security": _has(settings.MIDDLEWARE, "SecurityMiddleware"),
        "csrf": _has(settings.MIDDLEWARE, "CsrfViewMiddleware") and not settings.CSRF_USE_SESSIONS,
        "csrf_secure": bool(settings.CSRF_COOKIE_SECURE),
        "session": _has(settings.MIDDLEWARE, "SessionMiddleware"),
        "session_secure": bool(settings.SESSION_COOKIE_SECURE),
        "session_http_only": bool(settings.SESSION_COOKIE_HTTPONLY),
    }


def _has(middleware: list[str], name: str) -> bool:
    return any(one.rpartition(".")[2] == name for one in middleware)


def _loaders() -> Iterator[dict[str, Any]]:
    from django.template import engines
    from django.template.loaders.cached import Loader

    for engine in engines.all():
        inner = getattr(engine, "engine", None)  # Jinja2 and others cache by themselves
        if inner is not None:
            cached = any(isinstance(one, Loader) for one in inner.template_loaders)
            yield {"engine": engine.name, "cached": cached, "debug": bool(inner.debug)}


def secret_key(salt: str) -> dict[str, Any]:
    """How strong SECRET_KEY is, and a digest of it that is good for this run alone."""
    from django.conf import settings

    key = str(settings.SECRET_KEY)
    return {
        "secret_key": {
            "length": len(key),
            "distinct": len(set(key)),
            "insecure": key.startswith("django-insecure-"),
            "digest": hmac.new(salt.encode(), key.encode(), hashlib.sha256).hexdigest(),
        }
    }


def python() -> dict[str, Any]:
    """The Python that runs the site, and which one its Django wants."""
    about = metadata.metadata("Django")
    return {
        "python": ".".join(map(str, sys.version_info[:3])),
        "django": about["Version"],
        "python_wanted": about["Requires-Python"] or "",
    }


def logs() -> dict[str, Any]:
    """Which handlers get an error of a request, and whether one of them writes mails."""
    from django.utils.log import AdminEmailHandler

    handlers = list(_handlers(logging.getLogger("django.request")))
    kept = [one for one in handlers if not isinstance(one, AdminEmailHandler)]
    return {
        "log_handlers": sorted({type(one).__name__ for one in kept}),
        "log_mails": len(kept) < len(handlers),
    }


def _handlers(logger: logging.Logger | None) -> Iterator[logging.Handler]:
    if logger is not None and (logger.disabled or logger.getEffectiveLevel() > logging.ERROR):
        return
    record = logging.makeLogRecord({"name": "django.request", "levelno": logging.ERROR})
    while logger is not None:
        for handler in logger.handlers:
            null = isinstance(handler, logging.NullHandler)
            if not null and handler.level <= logging.ERROR and handler.filter(record):
                yield handler
        logger = logger.parent if logger.propagate else None


def error_pages() -> dict[str, Any]:
    """What is wrong with the templates of the error pages, by status."""
    return {"error_pages": {status: fault for status in PAGES if (fault := _page(status))}}


def _page(status: str) -> str:
    from django.template import TemplateDoesNotExist
    from django.template.loader import get_template
    from django.urls import get_resolver
    from django.views import defaults

    view = get_resolver().resolve_error_handler(int(status))
    if getattr(view, "__module__", "") != defaults.__name__:
        return ""
    try:
        template = get_template(f"{status}.html")
        if status == "500":
            template.render()  # as Django does it: without request and context
    except TemplateDoesNotExist as error:
        return "missing" if str(error) == f"{status}.html" else f"wants {error}"
    except Exception as error:
        return f"does not render: {type(error).__name__}"
    return ""


def self_checks() -> dict[str, Any]:
    """What Django's own checks find: errors, and what `check --deploy` adds."""
    from django.core import checks
    from django.core.checks.registry import registry

    # Django's checks of caches open every one; those of databases are no part of its own either.
    left_out = {checks.Tags.database, *(() if may_open_all_caches() else (checks.Tags.caches,))}
    wanted = [one for one in registry.get_checks(True) if not left_out & set(one.tags)]
    said = [message for one in wanted for message in one(app_configs=None, databases=None)]
    loud = [one for one in said if not one.is_silenced()]
    faults = [one for one in loud if one.is_serious()]
    advice = [
        one
        for one in loud
        if one not in faults and one.level >= checks.WARNING and one.id not in OURS
    ]
    return {"system_checks": _told(faults), "deploy_checks": _told(advice)}


def _told(messages: list[Any]) -> list[dict[str, str]]:
    return [
        {"id": one.id or "?", "message": str(one.msg).partition("\n")[0][:160]} for one in messages
    ]


def uploads(root: Path, release: Path) -> dict[str, Any]:
    """Where uploads go, and whether any model has some, or what names no storage, on this host."""
    from django.apps import apps
    from django.conf import settings
    from django.core.files.storage import FileSystemStorage, default_storage
    from django.db.models import FileField

    fields = (field for model in apps.get_models() for field in model._meta.get_fields())
    stored = (one.storage for one in fields if isinstance(one, FileField))
    media = Path(settings.MEDIA_ROOT or release).resolve()
    path = [Path(one).resolve() for one in sys.path if one]
    return {
        "media": {
            "root": str(settings.MEDIA_ROOT or ""),
            "real": str(media),
            "used": any(isinstance(one, FileSystemStorage) for one in stored),
            "default": isinstance(default_storage, FileSystemStorage),
            "there": media.is_dir(),
            "in_release": _below(media, root / "releases"),
            "importable": any(_below(media, one) for one in path) or _below(media, root / "entry"),
        }
    }


def _below(path: Path, folder: Path) -> bool:
    folder = folder.resolve()
    return path == folder or folder in path.parents
