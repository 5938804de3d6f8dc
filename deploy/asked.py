"""What the operator asked for on the command line, apart from the tasks."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from deploy.host import Host
from deploy.inventory import load_stage
from deploy.stage import Stage


@dataclass(frozen=True)
class Asked:
    """The options of one command line.

    `top` is the folder of the project. `pool_size` is 0 when the stage decides. `wait` is in
    seconds. `ssh` holds Fabric's own log-in options (-i, -S, -t), which hold for every host.
    `rest` are the words that stand behind `--`.
    `agreed`: to what follows the operator has agreed already.
    `loaded` is the stage once it was loaded: an inventory that asks a cloud is asked once.
    """

    top: Path
    stage: str = ""
    roles: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    pool_size: int = 0
    serial: bool = False
    skip_bad_hosts: bool = False
    sets: tuple[tuple[str, str], ...] = ()
    wait: float = 0.0
    yes: bool = False
    agreed: bool = False
    dry: bool = False
    json: bool = False
    ssh: Mapping[str, Any] = field(default_factory=dict)
    rest: tuple[str, ...] = ()
    loaded: Stage | None = None

    def load(self) -> Stage:
        """The stage that was asked for, with -z, --serial, -i, -S and -t put in; or Refused."""
        if self.loaded:
            return self.loaded
        stage = load_stage(self.top, self.stage, self.sets)
        hosts = tuple(replace(one, ssh=replace(one.ssh, **self.ssh)) for one in stage.hosts)
        at_once = 1 if self.serial else self.pool_size or stage.parallel
        return replace(stage, hosts=hosts, parallel=at_once)

    def setting(self, key: str, value: str) -> "Asked":
        """The same with one more --set, for an option that stands for a setting."""
        return replace(self, sets=(*self.sets, (key, value)), loaded=None)

    def select(self, stage: Stage, roles: tuple[str, ...] = ()) -> tuple[Host, ...]:
        """The hosts that -R, -H and -x select.

        If neither -R nor -H is given, `roles` are meant, as far as the stage has them.
        """
        usual = () if self.hosts else tuple(filter(stage.role, roles)) or roles
        return stage.select(self.roles or usual, self.hosts, self.exclude)
