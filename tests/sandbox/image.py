"""Makes the fleet's one image, from a Debian that is pulled or, without a registry, built here."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from deploy.errors import PrepareFailed, Refused
from tests.sandbox.docker import last_lines, try_docker
from tests.sandbox.packages import install

RECIPE = Path(__file__).parent / "recipe"
NAME = "django-fabric-deploy-sandbox"
DEBIAN = "debian:bookworm-slim"
SUITE = "bookworm"
PULL_LIMIT = 60.0
BUILD_LIMIT = 900.0
LEFT_OUT = ("man", "doc", "locale", "i18n", "info")
"""What the slim images leave out of /usr/share, too."""

Tell = Callable[[str], None]


def tag() -> str:
    """The image's name; it changes with what the image is made of."""
    return f"{NAME}:{_digest(*sorted(RECIPE.iterdir()))}"


def ensure(tell: Tell) -> str:
    """The image's name, after it was made if it was not there (about a minute).

    Raises Refused where no Debian can be had, PrepareFailed if the build fails.
    """
    wanted = tag()
    if _present(wanted):
        return wanted
    tell("making the image of the hosts, once; this takes about a minute")
    said = ""
    for base, network in _bases(tell):
        build = ("build", "--network", network, "--build-arg", f"BASE={base}", "-t", wanted)
        done, said = try_docker(*build, str(RECIPE), limit=BUILD_LIMIT)
        if done:
            return wanted
    raise PrepareFailed(f"the image could not be built: {last_lines(said)}")


def remove() -> bool:
    """Removes the image and its base; false if another fleet uses them."""
    done = not _present(tag()) or try_docker("image", "rm", tag())[0]
    if done and _present(_own_base()):
        try_docker("image", "rm", _own_base())
    return done


def _bases(tell: Tell) -> Iterator[tuple[str, str]]:
    """Debians to build on, with the network the build needs, the cheapest first."""
    if _present(_own_base()):
        yield _own_base(), "default"
    pulled, said = _present(DEBIAN), ""
    if not pulled:
        pulled, said = try_docker("pull", "--quiet", DEBIAN, limit=PULL_LIMIT)
    if pulled:
        yield DEBIAN, "default"
        yield DEBIAN, "host"  # where name resolution works for this machine only
    tell(f"{DEBIAN} cannot be {'used' if pulled else 'pulled'}; building one with mmdebstrap")
    yield _make_base(said, tell), "default"


def _make_base(pull_said: str, tell: Tell) -> str:
    if not shutil.which("mmdebstrap"):
        missing = ("mmdebstrap", "debian-archive-keyring")
        install(missing, tell, why=last_lines(pull_said, 1), root=os.geteuid() == 0)
    if os.geteuid() != 0:
        tell("mmdebstrap is not run by root: it needs user namespaces")
    packages = ",".join((RECIPE / "packages.txt").read_text().split())
    leave_out = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in LEFT_OUT]
    bootstrap = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={packages}"]
    with subprocess.Popen(
        [*bootstrap, *leave_out, SUITE, "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as maker:
        taken = subprocess.run(
            ["docker", "import", "-", _own_base()],
            stdin=maker.stdout,
            capture_output=True,
            check=False,
        )
        complaint = maker.stderr.read().decode(errors="replace") if maker.stderr else ""
    if maker.returncode or taken.returncode:
        # docker imports the first half of an archive without complaint.
        try_docker("image", "rm", _own_base())
        text = last_lines(complaint + taken.stderr.decode(errors="replace"))
        raise Refused(f"no Debian for the fleet: mmdebstrap failed: {text}")
    return _own_base()


def _own_base() -> str:
    return f"{NAME}-base:{_digest(RECIPE / 'packages.txt')}"


def _present(image: str) -> bool:
    return try_docker("image", "inspect", image)[0]


def _digest(*files: Path) -> str:
    made_of = hashlib.sha256(" ".join((SUITE, *LEFT_OUT)).encode())
    for file in files:
        made_of.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return made_of.hexdigest()[:12]
