"""Static files: collected on the web hosts or sent to the static ones, and switched there."""

import json
from collections.abc import Iterator

from deploy.command import Action, Command, Upload
from deploy.host import runs_code
from deploy.steps import Phase, Target, belongs, step, word
from deploy.steps.activate import verified


@step("static.collect", roles=("web", "worker"))
def collect_on_web(t: Target) -> Iterator[Action]:
    """gather the static files into the release"""
    # A worker renders mails and the like, and `static` in their templates needs the manifest.
    release = t.layout.release(t.code.id)
    if t.project.static.mode == "web":
        gather = (f"{release}/venv/bin/python", f"{t.layout.entry}/gather.py", t.layout.root)
        before = (t.found.web.current,) if t.found.web.current else ()
        words = (*gather, t.code.id, t.project.static.root, *before)
        yield Command(words, cwd=release, quiet_limit=300.0)
        return
    yield Upload(t.collected / ".onweb", f"{release}/{t.project.static.root}")


@step("static.sync", roles=("static",), needs=("rsync",))
def sync(t: Target) -> Iterator[Action]:
    """send the static files that changed, next to those that are live"""
    newest_first = sorted(t.found.static.complete, reverse=True)
    known = dict.fromkeys([t.found.static.current, *newest_first[:1]])
    like = tuple(t.layout.static_release(name) for name in known if name)
    release = t.layout.static_release(t.files.id)
    # As with code, a large tree is linked and read in silence.
    source = t.collected / t.project.static.root
    yield Upload(source, release, like=like, quiet_limit=300.0)
    facts = {"id": t.files.id, "revision": t.files.revision}
    what = (t.layout.static, t.files.id, json.dumps(facts))
    yield word("seal_static", *what, quiet_limit=300.0)
    if not runs_code(t.host.roles):  # else it is written down beside the code
        yield from belongs(t)


@step("static.check", roles=("static",), needs=("curl",))
def check(t: Target) -> Iterator[Action]:
    """see that the live files, and those that live pages name, are there and undamaged"""
    tree = t.found.static
    if tree.current is None:
        yield word("say_and_fail", "65", "no static release is live: fab -R static deploy-static")
        return
    wanted = {tree.current: None}
    pages = _live_pages(t)
    if not pages:
        said = "no web host says what its pages name: looked at the live static release alone"
        yield word("echo", f"warning: {said}")
    for digest, release in pages.items():
        there = [name for name in sorted(tree.complete) if tree.files.get(name) == digest]
        if not there:
            yield word(
                "say_and_fail",
                "65",
                f"the static files of {release}, which is live on the web hosts, are not here:"
                f" fab -R static deploy-static --revision {release[7:]}",
            )
        wanted |= dict.fromkeys(there[-1:])
    static = t.project.static
    for name in wanted:
        yield word("check_files", t.layout.static, name, quiet_limit=300.0)
        served = (str(static.port), static.server_name or "localhost", static.url)
        yield word("visit_static", t.layout.static, name, *served, quiet_limit=300.0)


def _live_pages(t: Target) -> dict[str, str]:
    """For each set of files that live pages name: a web release that names them."""
    trees = [found.web for _, found in (*t.fleet, *t.witnesses)]
    return {
        tree.files[tree.current]: tree.current
        for tree in trees
        if tree.current is not None and tree.current in tree.files
    }


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
