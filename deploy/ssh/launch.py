"""How the channel's program gets onto a host, where nothing is installed for it."""

import shlex
from importlib.resources import files

from deploy.ssh.times import Times


def program() -> bytes:
    """The program. It is the first that is sent to what `launch` has started."""
    return files("deploy").joinpath("remote", "channel.sh").read_bytes()


def launch(times: Times) -> str:
    """The line for the host's login shell, whichever that is.

    Short and without a newline, so that a csh takes it, and process lists stay legible.
    """
    starter = 'LC_ALL=C; IFS= read -r -N "$1" p && eval "$p"'
    numbers = f"{len(program())} {times.gone:g} {round(times.grace * 10)}"
    return f"exec bash --noprofile --norc -c {shlex.quote(starter)} deploy {numbers}"
