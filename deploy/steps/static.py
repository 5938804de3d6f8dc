"""Static files: collected on the web hosts or sent to the static ones, and switched there."""

import json
from collections.abc import Iterator

from deploy.command import Action, Command, Upload
from deploy.steps import Phase, Target, step, word
from deploy.steps.activate import verified


@step("static.collect", roles=("web",))
def collect_on_web(t: Target) -> Iterator[Action]:
    """gather the static files into the release"""
    release = t.layout.release(t.code.id)
    if t.project.static.mode == "web":
        python = f"{release}/venv/bin/python"
        run = (python, f"{t.layout.entry}/run.py", t.layout.root, t.code.id)
        yield Command(
            (*run, "collectstatic", "--noinput", "--verbosity", "0"), cwd=release, quiet_limit=300.0
        )
        return
    collected = t.workshop.collected(t.made_from, t.project)
    yield Upload(collected / ".onweb", f"{release}/{t.project.static.root}")


@step("static.sync", roles=("static",), needs=("rsync",))
def sync(t: Target) -> Iterator[Action]:
    """send the static files that changed, next to those that are live"""
    collected = t.workshop.collected(t.made_from, t.project)
    newest_first = sorted(t.found.static.complete, reverse=True)
    known = dict.fromkeys([t.found.static.current, *newest_first[:1]])
    like = tuple(t.layout.static_release(name) for name in known if name)
    yield Upload(collected / t.project.static.root, t.layout.static_release(t.files.id), like=like)
    facts = {"id": t.files.id, "revision": t.files.revision}
    yield word("seal_static", t.layout.static, t.files.id, json.dumps(facts))


def _back(t: Target) -> Iterator[Action]:
    old = t.found.static.current
    if old is None:
        yield word("unswitch", t.layout.static)
    else:
        yield word("switch", t.layout.static, old)
        yield from verified(t.host, "static", old)


@step("static.switch", roles=("static",), phase=Phase.COMMIT, undo=_back, needs=("curl",))
def switch(t: Target) -> Iterator[Action]:
    """make the new static files the live ones, and ask the server for them"""
    yield word("switch", t.layout.static, t.files.id)
    yield from verified(t.host, "static", t.files.id)
