"""What a deploy does, in order. Read this first.

A flow is a tuple of steps. Every host finishes a step before any host begins the next. Steps of
Phase.PREPARE change nothing that is live; steps of Phase.COMMIT switch, and are undone, last
first, if any of them fails; steps of Phase.FINISH come after the release is live.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from deploy.errors import Refused
from deploy.host import CODE
from deploy.steps import HERE, Phase, Step
from deploy.steps.activate import activate, change_slot, check
from deploy.steps.backup import restore, save, save_now
from deploy.steps.bucket import check_back, check_kept, check_sent, invalidate, prune_bucket, send
from deploy.steps.build import check_files, collect, export, wheels
from deploy.steps.checks import gate
from deploy.steps.code import entry, install, push, seal
from deploy.steps.db import contract, look_ahead, migrate, migrate_back, migrate_now, show
from deploy.steps.env import announced, forget, used
from deploy.steps.finish import discard, prune, prune_static
from deploy.steps.journal import begin, commit, decide, note
from deploy.steps.server import apache, static_server
from deploy.steps.services import allowed, restart
from deploy.steps.slots import ask_again, load, refresh, warm
from deploy.steps.static import check as check_static
from deploy.steps.static import collect_on_web, switch, sync


@dataclass(frozen=True)
class Flow:
    """Steps in order, the verb for what they do together, and whom they concern without -R."""

    verb: str
    steps: tuple[Step, ...]
    roles: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        phases = [step.phase for step in self.steps]
        if phases != sorted(phases):
            raise Refused(f"flow {self.verb}: a step that prepares cannot stand behind the switch")

    @property
    def served(self) -> frozenset[str]:
        """The roles of hosts that the flow has something to do for, be it on this machine alone."""
        roles = {role for step in self.steps for role in step.roles} - {HERE}
        return frozenset(roles or self.roles)

    def before(self, which: Step, *new: Step) -> Flow:
        """The flow with `new` in front of `which`."""
        return self._around(which, (*new, which))

    def after(self, which: Step, *new: Step) -> Flow:
        """The flow with `new` behind `which`."""
        return self._around(which, (which, *new))

    def without(self, *which: Step) -> Flow:
        """The flow without these steps."""
        flow = self
        for step in which:
            flow = flow._around(step, ())
        return flow

    def replace(self, which: Step, *new: Step) -> Flow:
        """The flow with `new` in the place of `which`."""
        return self._around(which, new)

    def _around(self, which: Step, instead: tuple[Step, ...]) -> Flow:
        if which not in self.steps:
            raise Refused(f"flow {self.verb} has no step {which.name}")
        at = self.steps.index(which)
        return replace(self, steps=(*self.steps[:at], *instead, *self.steps[at + 1 :]))


DEPLOY = Flow(
    "deploy",
    (
        export,
        wheels,
        collect,
        check_files,
        push,
        install,
        entry,
        load,
        collect_on_web,
        seal,
        gate,
        look_ahead,
        sync,
        send,
        check_sent,
        invalidate,
        static_server,
        apache,
        allowed,
        warm,
        save,
        # from here on things are switched
        begin,
        switch,
        migrate,
        ask_again,
        activate,
        decide,
        # the release is live
        commit,
        contract,
        prune,
    ),
)


def _on_static_hosts(which: Step) -> Step:
    """The step for static hosts alone: whoever names others with -R has nothing released there."""
    return replace(which, roles=("static",))


DEPLOY_STATIC = Flow(
    "deploy-static",
    (
        export,
        collect,
        sync,
        send,
        check_sent,
        invalidate,
        static_server,
        _on_static_hosts(begin),
        switch,
        _on_static_hosts(decide),
        _on_static_hosts(commit),
        _on_static_hosts(prune),
    ),
    roles=("static",),
)

ROLLBACK = Flow(
    "rollback",
    (
        check_back,
        allowed,
        warm,
        save,
        begin,
        switch,
        migrate_back,
        ask_again,
        activate,
        decide,
        commit,
    ),
)

# Parts of a deploy by themselves, for the tasks in groups.
PUSH = Flow("code.push", (export, push), roles=("web",))
INSTALL = Flow(
    "code.install",
    (export, wheels, collect, install, entry, collect_on_web, seal),
    roles=("web",),
)
COLLECT = Flow("static.collect", (export, collect), roles=("static",))
SYNC = Flow("static.sync", (export, collect, sync, send, check_sent, invalidate), roles=("static",))
CHECK_STATIC = Flow("static.check", (check_static,), roles=("static",))
PRUNE_STATIC = Flow("static.prune", (prune_static,), roles=("static",))
CHECK_BUCKET = Flow("static.check", (export, collect, check_kept), roles=("web", "worker"))
PRUNE_BUCKET = Flow("static.prune", (export, collect, prune_bucket), roles=("web", "worker"))
CONFIGURE_STATIC = Flow("static.configure", (static_server,), roles=("static",))
PLAN_MIGRATIONS = Flow(
    "db.plan", (export, wheels, push, install, entry, show, discard), roles=("db",)
)
PLAN_THERE = Flow("db.plan", (entry, show), roles=("db",))
MIGRATE = Flow("db.migrate", (entry, migrate_now), roles=("db",))
BACKUP = Flow("db.backup", (entry, save_now), roles=("db",))
CONFIGURE = Flow("apache.configure", (entry, apache), roles=("web",))
RELOAD = Flow("apache.reload", (refresh, change_slot), roles=("web",))
RESTART = Flow(
    "services.restart", (allowed, replace(restart, phase=Phase.PREPARE)), roles=("worker",)
)
CHECK = Flow("apache.check", (check,), roles=("web",))
SETUP = Flow("setup", (entry, apache, static_server))


def restoring(name: str, into: str = "") -> Flow:
    """What puts a backup in the place of the data, or into the database `into`."""
    return Flow("db.restore", (entry, *restore(name, into)), roles=("db",))


# A warm slot with the changed environment, while the other one serves; then visitors move there.
_ANEW = (replace(refresh, phase=Phase.COMMIT), change_slot, restart, decide, commit)
FORGET = Flow("env.rotate", (entry, note, forget, *_ANEW), roles=CODE)


def rotating(key: str) -> tuple[Flow, Flow]:
    """What makes every host take `key`, and what makes every host use it after that."""
    return (
        Flow("env.rotate", (entry, note, announced(key), *_ANEW), roles=CODE),
        Flow("env.rotate", (entry, note, used(key), *_ANEW), roles=CODE),
    )
