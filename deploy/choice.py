"""Which releases a run makes live."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from deploy.errors import Refused
from deploy.findings import Findings, Tree
from deploy.host import Host, runs_code
from deploy.release import Release, WayBack, checked_id, next_id
from deploy.source import Source


@dataclass(frozen=True)
class Goal:
    """What a run makes live. None: that kind stays as it is, or is not selected.

    `source` is what the hosts are sent, None if they have it already. `back` is what happens to the
    schema in a rollback, None if it stays; `origin` is what the release that a rollback goes to was
    made from, None if nobody has to know, or git does not.
    """

    web: Release | None
    static: Release | None
    source: Source | None = None
    back: WayBack | None = None
    origin: Source | None = None

    @property
    def id(self) -> str | None:
        """The release that people mean when they speak of this run."""
        release = self.web or self.static
        return release.id or None if release else None


NO_RELEASE = Goal(Release(""), Release(""))
"""For what concerns the hosts of every role, but no release."""
Found = Mapping[str, Findings]


def new_release(source: Source, found: Iterable[Findings]) -> Release:
    """The release that a deploy makes; its number is higher than any that any host has seen."""
    known = [name for each in found for kind in ("web", "static") for name in each.tree(kind).known]
    release_id = next_id(known, source.revision)
    return Release(release_id, revision=source.revision, migrations=source.migrations)


def live_release(hosts: Sequence[Host], found: Found) -> Goal:
    """What is live now. Raises Refused if nothing is, or not the same everywhere."""
    serving = [host for host in hosts if "web" in host.roles] or list(hosts)
    live = {host.name: found[host.name].web.current for host in serving}
    if None in live.values():
        without = ", ".join(name for name, release in live.items() if release is None)
        raise Refused(f"no release is live on {without}", hint="fab deploy")
    return Goal(_there("web", serving, found, _one("web", live)), None)


def newest_release(hosts: Sequence[Host], found: Found, named: str) -> Release:
    """The release `named`, or the newest that any host has, complete or not."""
    if named:
        return Release(checked_id(named))
    known = [
        name
        for host in hosts
        for name in (*found[host.name].web.complete, *found[host.name].web.partial)
    ]
    if not known:
        raise Refused("no host has a release yet", hint="fab code.push")
    return Release(max(known))


def rollback_target(hosts: Sequence[Host], found: Found, to: str) -> Goal:
    """The release to go back to: `to`, or what was live before, the same on every host.

    The static hosts go with the web hosts: to what they served when that web release was new.
    Raises Refused if hosts disagree, or if one of them does not have the release.
    """
    if to:
        checked_id(to)
    web = [host for host in hosts if runs_code(host.roles)]
    static = [host for host in hosts if "static" in host.roles]
    serving = [host for host in web if "web" in host.roles] or web
    web_id = _agreed("web", serving, found, to) if web else None
    if web_id is None:
        return Goal(None, _back_to("static", static, found, _agreed("static", static, found, to)))
    _must_have_files(web_id, serving, found)
    wanted = {host.name: found[host.name].static.as_of(int(web_id[:6])) for host in static}
    static_id = _one("static", wanted) if any(wanted.values()) else None
    live = {found[host.name].static.current for host in static}
    moves = static_id is not None and live != {static_id}
    return Goal(
        _back_to("web", web, found, web_id),
        _back_to("static", static, found, static_id or "") if moves else None,
    )


def _must_have_files(web_id: str, serving: Sequence[Host], found: Found) -> None:
    """Raises Refused if a static host lacks files that pages of the release name."""
    if any(host.project.static.mode == "storage" for host in serving):
        return  # the bucket is asked by a step of the rollback
    digests = {found[host.name].web.files.get(web_id) for host in serving} - {None}
    lacking = [
        name
        for name, said in found.items()
        if said.static.known and digests - _file_sets(said.static)
    ]
    if lacking:
        raise Refused(
            f"nothing changed: {', '.join(lacking)} no longer has the static files of {web_id}",
            hint="fab -R static deploy-static --revision " + web_id[7:],
        )


def _file_sets(tree: Tree) -> set[str]:
    """The sets of files that complete static releases hold."""
    return {digest for name, digest in tree.files.items() if name in tree.complete}


def _agreed(kind: str, hosts: Sequence[Host], found: Found, to: str) -> str:
    if to:
        return to
    names = {host.name: found[host.name].tree(kind).previous for host in hosts}
    without = [name for name, previous in names.items() if previous is None]
    if without:
        raise Refused(
            f"nothing changed: there is no release before the live one on {', '.join(without)}",
            hint="fab releases lists what there is, for rollback --to ID; fab deploy --revision"
            " COMMIT brings back what a host lacks",
        )
    return _one(kind, names)


def _one(kind: str, names: Mapping[str, str | None]) -> str:
    different = sorted({str(name) for name in names.values()})
    if len(different) != 1:
        listed = ", ".join(f"{host}: {name}" for host, name in names.items())
        raise Refused(
            f"nothing changed: the {kind} hosts would go back to different releases ({listed})",
            hint="fab rollback --to ID names the one you want",
        )
    return different[0]


def _there(kind: str, hosts: Sequence[Host], found: Found, release_id: str) -> Release:
    has = {host.name: set(found[host.name].tree(kind).complete) for host in hosts}
    missing = [name for name, releases in has.items() if release_id not in releases]
    if missing:
        everywhere = ", ".join(sorted(set.intersection(*has.values()))) or "no release"
        again = "fab deploy" if kind == "web" else "fab -R static deploy-static"
        raise Refused(
            f"nothing changed: release {release_id} is not complete on {', '.join(missing)}",
            hint=f"{again} --revision {release_id[7:]} releases the same code again; each of"
            f" these hosts has: {everywhere}",
        )
    return found[hosts[0].name].tree(kind).complete[release_id]


def _back_to(kind: str, hosts: Sequence[Host], found: Found, release_id: str) -> Release:
    release = _there(kind, hosts, found, release_id)
    if {found[host.name].tree(kind).current for host in hosts} == {release_id}:
        raise Refused(f"nothing changed: release {release_id} is live already")
    return release
