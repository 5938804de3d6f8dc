"""Static files in S3 or behind a CDN: sent from here, through the project's own storage."""

from collections.abc import Iterator

from deploy.command import Action, Command
from deploy.steps import HERE, Target, step
from deploy.steps.build import BUILD
from deploy.workshop import ONSITE

SEND_QUIET = 600.0
"""Seconds of silence; botocore gives a bucket that does not answer up after five minutes."""


def _concerned(t: Target) -> bool:
    """Whether this run has pages that name files in a bucket, or is about these files alone."""
    pages = not t.fleet or any("web" in host.roles for host, _ in t.fleet)
    return t.project.static.mode == "storage" and pages


def _asked(t: Target, *words: str) -> Command:
    python = t.workshop.venv(t.made_from) / "bin/python"
    return Command(
        (str(python), "-B", str(ONSITE / "send.py"), *words),
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
        yield _asked(t, "send", t.project.settings, *changed)


@step("static.check", roles=(HERE,))
def check_sent(t: Target) -> Iterator[Action]:
    """see that the bucket has every file that the pages name, with the right content"""
    if _concerned(t):
        yield _asked(t, "check", t.project.settings)


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
