"""The code on a host: pushed, its packages installed, sealed as complete."""

import json
from collections.abc import Iterator

from deploy.command import Action, Command, Upload
from deploy.host import CODE
from deploy.steps import Target, belongs, step, word
from deploy.workshop import ONSITE, entry_digest, there, venv_key

PIP_QUIET = 300.0
"""Seconds that pip may be silent on a host: a large wheel takes long to unpack on a slow disk."""


@step("code.push", roles=CODE, needs=("rsync",))
def push(t: Target) -> Iterator[Action]:
    """send the code; what the host has already is linked, not sent"""
    newest_first = sorted(t.found.web.complete, reverse=True)
    known = [t.found.web.current, *newest_first][:2] if t.found.web.current else newest_first[:1]
    like = tuple(t.layout.release(name) for name in dict.fromkeys(known) if name)
    live = t.found.web.complete.get(t.found.web.current or "")
    base = t.workshop.exported(live.tree) if live and live.tree else None
    base = base if base and there(base) else None
    export, release = t.workshop.export(t.made_from), t.layout.release(t.code.id)
    # A large tree is linked and read in silence, which takes long on a slow disk.
    yield Upload(export, release, like=like, base=base, quiet_limit=300.0)


@step("code.install", roles=CODE, needs=("rsync", "python3-venv"))
def install(t: Target) -> Iterator[Action]:
    """make the virtualenv, unless one with the same packages is there"""
    key = venv_key(t.made_from, t.found)
    if key not in t.found.venvs:
        yield from _built(t, key)
    yield word("link_into", f"{t.layout.release(t.code.id)}/venv", f"../../venvs/{key}")


def _built(t: Target, key: str) -> Iterator[Action]:
    argv = ("build_venv", t.layout.root, key, t.project.python)
    if t.project.install == "wheels":
        yield Upload(t.workshop.wheels(t.made_from, t.found), t.layout.wheels(key))
        yield word(*argv, t.layout.wheels(key), quiet_limit=PIP_QUIET)
        return
    # pip sees paths of packages that come with the code from where it is started.
    asked, release = (*argv, "-r", t.project.requirements), t.layout.release(t.code.id)
    yield Command(asked, cwd=release, quiet_limit=PIP_QUIET)


@step("code.entry", roles=CODE, needs=("rsync",))
def entry(t: Target) -> Iterator[Action]:
    """put the WSGI script and what it must know in place, unless it is there"""
    facts = {
        "name": t.project.name,
        "root": t.project.root,
        "settings": t.project.settings,
        "wsgi": t.project.wsgi,
        "locale": t.project.web.locale,
        "health": t.project.web.health,
        "warm": list(t.project.web.warm),
        "private_ports": list(t.project.web.private_ports),
    }
    site = json.dumps(facts, sort_keys=True)
    if t.found.installed.get("entry") != entry_digest(site):
        yield Upload(ONSITE, t.layout.entry, exclude=("__pycache__", "__init__.py", "site.json"))
        yield word("remember", f"{t.layout.entry}/site.json", site)
    yield from belongs(t)


@step("code.seal", roles=CODE)
def seal(t: Target) -> Iterator[Action]:
    """link what is shared, compile, and mark the release complete"""
    yield word("link_shared", t.layout.root, t.code.id, *t.project.shared)
    facts = {
        "id": t.code.id,
        "revision": t.code.revision,
        "venv": venv_key(t.made_from, t.found),
        "migrations": t.code.migrations,
        "tree": t.made_from.tree,
        "units": t.project.services.units,
        "pages": (t.project.web.health, *t.project.web.warm),
        "site": {"settings": t.project.settings, "wsgi": t.project.wsgi},
    }
    where = (t.layout.root, t.code.id, t.project.static.root)
    yield word("seal", *where, json.dumps(facts), quiet_limit=300.0)
