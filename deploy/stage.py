"""One stage, ready to use, and the rules by which its hosts are selected."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import Refused
from deploy.host import ROLES, Host
from deploy.nearest import did_you_mean, listed
from deploy.project import Project


@dataclass(frozen=True)
class Stage:
    """One inventory, complete: every default filled in, every value checked.

    `parallel` is the most hosts to be worked on at once; `confirm` asks before a change.
    """

    name: str
    path: Path
    description: str
    confirm: bool
    parallel: int
    project: Project
    hosts: tuple[Host, ...]

    def role(self, role: str) -> tuple[Host, ...]:
        """The hosts of a role in file order, maybe none; the first of `db` is the primary."""
        return tuple(host for host in self.hosts if role in host.roles)

    def select(
        self,
        roles: Iterable[str] = (),
        hosts: Iterable[str] = (),
        exclude: Iterable[str] = (),
    ) -> tuple[Host, ...]:
        """The hosts of `roles`, narrowed to `hosts`, without `exclude`, in file order.

        No roles means every host. Refused if a role or host is unknown, if a role has no
        hosts, if an exclusion leaves nobody out, and if nothing is left.
        """
        roles, hosts, exclude = tuple(roles), tuple(hosts), tuple(exclude)
        for role in roles:
            self._check_role(role)
        named = [self.host(name) for name in hosts]
        chosen = [
            one
            for one in self.hosts
            if (not roles or set(roles) & set(one.roles)) and (not hosts or one in named)
        ]
        left_out = [self._left_out(name, chosen) for name in exclude]
        chosen = [one for one in chosen if one not in left_out]
        if not chosen:
            asked = _said(roles, hosts, exclude)
            raise Refused(f"{asked} selects none of the hosts of {self.path.name}", self._there())
        return tuple(chosen)

    def host(self, name: str) -> Host:
        """The host of this name, or of this address or address:port; Refused unless just one."""
        matches = [one for one in self.hosts if one.name == name]
        matches = matches or [one for one in self.hosts if name in _addresses(one)]
        if len(matches) == 1:
            return matches[0]
        if matches:
            names = listed(one.name for one in matches)
            raise Refused(f'"{name}" is the address of several hosts: {names}', "use a name")
        near = did_you_mean(name, [one.name for one in self.hosts])
        raise Refused(f'there is no host "{name}" in {self.path.name}{near}', self._there())

    def knows(self, name: str) -> bool:
        """Whether a host has this name or address."""
        return any(name == one.name or name in _addresses(one) for one in self.hosts)

    def _left_out(self, name: str, chosen: list[Host]) -> Host:
        host = self.host(name)
        if host not in chosen:
            left = listed(one.name for one in chosen)
            raise Refused(f"-x {name} leaves nobody out; selected are: {left}")
        return host

    def _check_role(self, role: str) -> None:
        there = [one for one in ROLES if self.role(one)]
        hint = f"roles in {self.path.name}: {listed(there)}"
        if role not in ROLES:
            raise Refused(f'there is no role "{role}"{did_you_mean(role, there)}', hint)
        if role not in there:
            raise Refused(f'no host of {self.path.name} has the role "{role}"', hint)

    def _there(self) -> str:
        return f"hosts in {self.path.name}: {listed(one.name for one in self.hosts)}"


def _addresses(host: Host) -> tuple[str, ...]:
    port = host.ssh.port or 22
    return host.address, f"{host.address}:{port}", f"[{host.address}]:{port}"


def _said(roles: tuple[str, ...], hosts: tuple[str, ...], exclude: tuple[str, ...]) -> str:
    options = (("-R", roles), ("-H", hosts), ("-x", exclude))
    return " ".join(f"{flag} {','.join(words)}" for flag, words in options if words) or "this"
