"""What the tasks sandbox.up, sandbox.down and sandbox.status do, without their command line."""

from collections.abc import Callable
from pathlib import Path

from tests.sandbox import fleet
from tests.sandbox.members import Fleet

STATE = ".sandbox"

Tell = Callable[[str], None]


def up(top: Path, tell: Tell, state: str = STATE, site: str = "guestbook") -> Fleet:
    """Brings the fleet of the checkout `top` up and tells its URLs; raises as `fleet.up` does."""
    made = fleet.up(top / state, tell, site=site)
    for name, url in made.urls.items():
        tell(f"{name}: {url}")
    return made


def status(top: Path, tell: Tell, state: str = STATE) -> Fleet:
    """Tells a line for each host of the fleet."""
    found = fleet.status(top / state)
    for member in found.members:
        tell(f"{member.name}: {member.state}, ssh port {member.ssh_port} {member.url}".rstrip())
    if not found.members:
        tell("there is no fleet; ./fab sandbox.up makes one")
    return found


def down(
    top: Path,
    tell: Tell,
    state: str = STATE,
    keep_image: bool = False,
    stop_docker: bool = False,
) -> None:
    """Takes the fleet down and removes what it kept; see `fleet.down`."""
    fleet.down(top / state, tell, keep_image=keep_image, stop_docker=stop_docker)
