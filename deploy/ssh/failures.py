"""Says in plain words why a login failed, and what to do about it."""

import socket
from dataclasses import dataclass

from paramiko import AuthenticationException, ChannelException, IncompatiblePeer, SSHException

from deploy.errors import Refused
from deploy.output import shown


@dataclass(frozen=True)
class Login:
    """What was tried: `host` as the inventory calls it, the rest as it was used."""

    host: str
    address: str
    port: int
    user: str
    identity: str
    timeout: float

    @property
    def at(self) -> str:
        """Where to."""
        return f"{self.address}:{self.port}"

    @property
    def keys(self) -> str:
        """Which keys were offered."""
        return f"the key {self.identity}" if self.identity else "the keys of the agent and ~/.ssh"


def explained(error: Exception, login: Login) -> Refused:
    """The error of a login as one that can be shown."""
    if isinstance(error, Refused):
        return error
    if closed_early(error):
        return Refused(
            f"{login.host}: {login.at} closes connections before the login: too many logins at "
            "once (MaxStartups), a firewall, or no SSH server"
        )
    if isinstance(error, OSError):
        return Refused(f"{login.host}: {_network(error, login)}")
    return _ssh(error, login)


def _network(error: OSError, login: Login) -> str:
    match error:
        case socket.gaierror():
            return f"cannot resolve {login.address}: {error.strerror}"
        case ConnectionRefusedError():
            return f"{login.at} refuses connections: is the SSH server running there?"
        case TimeoutError():
            return f"no answer from {login.at} within {login.timeout:g} seconds"
    return f"cannot connect to {login.at}: {error.strerror or error}"


def _ssh(error: Exception, login: Login) -> Refused:
    # "No existing session": what Paramiko says when the server hangs up while keys are offered.
    if isinstance(error, AuthenticationException) or "No existing session" in str(error):
        return _not_let_in(login)
    match error:
        case ChannelException():
            return Refused(f"{login.host}: the gateway cannot reach {login.at}: {error.text}")
        case IncompatiblePeer():
            return Refused(f"{login.host}: no algorithm in common with {login.at}: {error}")
    return Refused(f"{login.host}: the login at {login.at} failed: {shown(str(error))}")


def hanging(login: Login, waiting_for: str) -> Refused:
    """The refusal for a login that did not end in time."""
    return Refused(
        f"{login.host}: {login.at} hangs: no {waiting_for} within {login.timeout:g} seconds"
    )


def closed_early(error: Exception) -> bool:
    """Whether the server hung up before it said anything: worth another try."""
    return isinstance(error, EOFError | ConnectionResetError | BrokenPipeError) or (
        isinstance(error, SSHException) and "banner" in str(error)
    )


def _not_let_in(login: Login) -> Refused:
    return Refused(
        f"{login.host}: user {login.user} is not let in at {login.at} with {login.keys}",
        ""
        if login.identity
        else f"name the key: identity = under [ssh], or ssh-copy-id {login.user}@{login.address}",
    )
