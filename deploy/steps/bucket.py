"""Static files in S3 or behind a CDN: sent from here, through the project's own storage."""

from collections.abc import Iterator
from dataclasses import replace

from deploy.command import Action, Command
from deploy.host import Host
from deploy.steps import HERE, Target, step
from deploy.steps.build import BUILD
from deploy.workshop import ONSITE, there

SEND_QUIET = 600.0
"""Seconds of silence; botocore gives a bucket that does not answer up after five minutes."""


def _concerned(t: Target) -> bool:
    """Whether this run has pages that name files in a bucket, or is about these files alone."""
    pages = not t.fleet or any(_has_pages(host) for host, _ in t.fleet)
    return t.project.static.mode == "storage" and pages


def _has_pages(host: Host) -> bool:
    """Whether what runs there names static files: pages, and what a worker writes into mails."""
    return not {"web", "worker"}.isdisjoint(host.roles)


def _asked(t: Target, program: str, *words: str) -> Command:
    python = t.workshop.venv(t.made_from) / "bin/python"
    return Command(
        (str(python), "-B", str(ONSITE / program), *words),
        cwd=str(t.collected),
        env=t.project.static.env,
        quiet_limit=SEND_QUIET,
        changes=False,
    )


@step("static.sync", roles=(HERE,))
def send(t: Target) -> Iterator[Action]:
    """send the static files that the bucket lacks, through the project's own storage"""
    if _concerned(t):
        told = t.project.static.invalidate
        changed = (str(t.workshop.changed(t.project)),) if told else ()
        yield _asked(t, "send.py", "send", t.project.settings, _owner(t), *changed)


@step("static.check", roles=(HERE,))
def check_sent(t: Target) -> Iterator[Action]:
    """see that the bucket has every file that the pages name, with the right content"""
    if _concerned(t):
        yield _asked(t, "send.py", "check", t.project.settings)


def _owner(t: Target) -> str:
    """Whose files these are: a bucket may hold those of several stages and sites."""
    return f"{t.project.name}.{t.stage}"


def _kept(t: Target) -> tuple[str, ...]:
    """The releases that such hosts keep, by the digest of the names in their pages; live first."""
    kept: dict[str, str] = {}
    for tree in (found.web for host, found in t.fleet if _has_pages(host)):
        for name in sorted(tree.complete, key=lambda one: (one != tree.current, one)):
            kept.setdefault(tree.files.get(name, ""), name)
    return tuple(f"{digest}={name}" for digest, name in kept.items())


@step("static.check", roles=(HERE,))
def check_kept(t: Target) -> Iterator[Action]:
    """see that the bucket has the files of every release that is kept, and serves them"""
    yield _asked(t, "kept.py", "check", t.project.settings, _owner(t), *_kept(t))


@step("static.check", roles=(HERE,))
def check_back(t: Target) -> Iterator[Action]:
    """see that the bucket still has the files of the release that is gone back to"""
    if not _concerned(t):
        return
    digests = (f.web.files[t.code.id] for h, f in t.fleet if t.code.id in f.web.files)
    kept = f"{next(digests, '')}={t.code.id}"
    if t.origin is None or not (there(t.collected) and there(t.workshop.venv(t.origin))):
        # Nobody waits for packages to be installed here before the site is whole again.
        why = "this machine did not release it"
        yield Command(("echo", f"warning: the bucket was not asked for its files: {why}"))
        return
    asked = _asked(t, "kept.py", "back", t.project.settings, _owner(t), kept)
    otherwise = f"the bucket was not asked for the files of {t.code.id}"
    yield replace(asked, argv=("sh", BUILD, "if_possible", otherwise, *asked.argv))


@step("static.prune", roles=(HERE,))
def prune_bucket(t: Target) -> Iterator[Action]:
    """take out of the bucket what only releases name that are gone from all web hosts"""
    yield _asked(t, "kept.py", "prune", t.project.settings, _owner(t), *_kept(t))


@step("static.invalidate", roles=(HERE,))
def invalidate(t: Target) -> Iterator[Action]:
    """tell the CDN which files without a digest in their names have changed"""
    if _concerned(t) and t.project.static.invalidate:
        words = ("sh", BUILD, "invalidate", str(t.workshop.changed(t.project)))
        yield Command(
            (*words, *t.project.static.invalidate),
            cwd=str(t.made_from.top),
            env=t.project.static.env,
            quiet_limit=SEND_QUIET,
            changes=False,
        )
