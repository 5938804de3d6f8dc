"""After the release is live: what nothing can go back to any more is cleared away."""

from collections.abc import Iterator

from deploy.command import Action
from deploy.findings import Tree
from deploy.host import CODE, runs_code
from deploy.release import Release, expired
from deploy.steps import Phase, Target, step, word
from deploy.workshop import venv_key


def _made_live(t: Target) -> Iterator[tuple[str, Release]]:
    if t.web is not None and runs_code(t.host.roles):
        yield "web", t.web
    if t.static is not None and "static" in t.host.roles:
        yield "static", t.static


@step("prune", roles=(*CODE, "static"), phase=Phase.FINISH)
def prune(t: Target) -> Iterator[Action]:
    """take away releases and virtualenvs that nothing can go back to"""
    for kind, release in _made_live(t):
        if kind == "static" and t.unseen:
            unseen = ", ".join(t.unseen)
            yield word("echo", f"warning: no static file is taken away: {unseen} may need it")
            continue
        tree = t.found.tree(kind)
        gone = _gone(t, tree, release)
        base = t.layout.static if kind == "static" else t.layout.root
        if gone:
            yield word("remove_releases", base, *gone, quiet_limit=300.0)
            if kind == "static":
                yield word("prune_pool", t.layout.static)
            else:
                yield from _unused_venvs(t, tree, gone)


@step("code.discard", roles=CODE, phase=Phase.FINISH)
def discard(t: Target) -> Iterator[Action]:
    """take the code away again that was only there to be looked at"""
    yield word("remove_releases", t.layout.root, t.code.id, quiet_limit=300.0)


@step("static.prune", roles=("static",))
def prune_static(t: Target) -> Iterator[Action]:
    """take away static releases that nothing can go back to, and files that none of them names"""
    tree = t.found.static
    needed = {tree.current, tree.previous, *_named_by_pages(t, tree)}
    gone = expired(tree.complete, tree.partial, t.project.keep, needed)
    if gone:
        yield word("remove_releases", t.layout.static, *gone, quiet_limit=300.0)
    yield word("prune_pool", t.layout.static, quiet_limit=300.0)


def _gone(t: Target, tree: Tree, release: Release) -> tuple[str, ...]:
    needed = {release.id, tree.current, tree.previous, *t.found.slots.values()}
    if tree is t.found.static:
        needed |= _named_by_pages(t, tree)
    complete = {*tree.complete, release.id}
    return expired(complete, tree.partial, t.project.keep, needed)


def _named_by_pages(t: Target, files: Tree) -> set[str]:
    """Static releases without which pages of a web release that is kept anywhere lack a file."""
    pages = {digest for _, found in (*t.fleet, *t.witnesses) for digest in found.web.files.values()}
    newest_with = {files.files[name]: name for name in sorted(files.files)}
    return {name for digest, name in newest_with.items() if digest in pages}


def _unused_venvs(t: Target, tree: Tree, gone: tuple[str, ...]) -> Iterator[Action]:
    used = {kept.venv for name, kept in tree.complete.items() if name not in gone}
    used.add(venv_key(t.made_from, t.found))
    unused = [key for key in t.found.venvs if tree.complete and key not in used]
    # Asked also without one: an install that failed, and left a part of a virtualenv, has left
    # a release that is not complete, which is why there is something to take away.
    yield word("remove_venvs", t.layout.root, *unused, quiet_limit=300.0)
