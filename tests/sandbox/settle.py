"""Turns a container that runs into a host that can be deployed to, by what root does on a host."""

import io
import socket
import tarfile
import time
from pathlib import Path

from deploy.errors import PrepareFailed
from tests.sandbox import files
from tests.sandbox.docker import last_lines, try_docker
from tests.sandbox.members import Fleet, Member

HERE = Path(__file__).parent
PRODUCT = HERE.parent.parent / "deploy" / "templates"
BANNER_LIMIT = 30.0
UNPACK = (
    'd=$(mktemp -d /run/settle.XXXXXX); trap "rm -rf $d" EXIT; '
    'tar -xf - -C "$d" && sh "$d/settle.sh" "$0" "$1" 2>&1'
)
"""The directory lies in memory and is gone afterwards: it holds secrets."""


def settle(fleet: Fleet, member: Member, site: str) -> str:
    """Prepares `member` for `site` and waits until it serves; the host's public key.

    Raises PrepareFailed with what the host said last.
    """
    words = ("exec", "--interactive", member.container, "sh", "-c", UNPACK)
    roles = ",".join(member.roles)
    done, said = try_docker(*words, site, roles, stdin=_archive(fleet, site))
    if not done or not _greets(member.ssh_port):
        log = try_docker("logs", "--tail", "10", member.container)[1]
        raise PrepareFailed(
            f"{member.name} does not get ready: {last_lines(said) if not done else 'sshd is mute'}"
            f"\n  its log: {last_lines(log)}",
            hint=f"docker logs {member.container}",
        )
    return said.strip().splitlines()[-1]


def _archive(fleet: Fleet, site: str) -> bytes:
    """Everything the host needs, sent as one stream so that nothing shows in a process list."""
    secret = files.keep_secrets(fleet.state)
    texts = {
        "settle.sh": (HERE / "settle.sh").read_bytes(),
        "prepare-host.sh": (PRODUCT / "prepare-host.sh").read_bytes(),
        "deploy-root": (PRODUCT / "deploy-root").read_bytes(),
        "authorized_keys": (fleet.state / f"{files.KEY}.pub").read_bytes(),
        "env": files.env_file(fleet, site, secret).encode(),
        "database.sql": files.database_sql(site, secret).encode(),
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text in texts.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text), 0o600
            archive.addfile(entry, io.BytesIO(text))
    return packed.getvalue()


def _greets(port: int) -> bool:
    """Whether sshd answers; Docker's proxy accepts a call before anybody listens behind it."""
    deadline = time.monotonic() + BANNER_LIMIT
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=2) as call:
                if call.recv(4) == b"SSH-":
                    return True
        except OSError:
            pass
        time.sleep(0.05)
    return False
