"""What you can ask for in this checkout: all of the toolkit, the sandbox fleet, and the tests.

A project that uses the toolkit needs the first two statements and `ns = namespace()`.
"""

from deploy.cli import takeover

takeover()

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from invoke.collection import Collection

from deploy import main
from deploy.errors import DeployError
from deploy.outcome import Outcome
from deploy.tasks import namespace
from deploy.tasks.decorator import FleetContext, fleet_task
from deploy.tasks.means import means
from tests.sandbox import fleet

STATE = Path(__file__).parent / ".sandbox"


@fleet_task(stage=False, takes_dry=False)
def up(c: FleetContext) -> Outcome:
    """Bring up the Docker fleet: two web hosts, a static one, a database."""
    return Outcome(more={"urls": dict(fleet.up(STATE, tell=_teller(c)).urls)})


@fleet_task(
    stage=False,
    takes_dry=False,
    help={"docker": "Also stop the Docker engine, if this started it."},
)
def down(c: FleetContext, docker: bool = False) -> None:
    """Take the Docker fleet away, and everything that was made for it."""
    fleet.down(STATE, tell=_teller(c), stop_docker=docker)


@fleet_task(name="status", stage=False)
def sandbox_status(c: FleetContext) -> Outcome:
    """Show the containers of the fleet, and the addresses of its sites."""
    found = fleet.status(STATE)
    tell = _teller(c)
    for member in found.members:
        tell(f"{member.name:8} {member.state:8} {member.url or '-'}")
    return Outcome(more={"urls": dict(found.urls)})


@fleet_task(stage=False, takes_dry=False)
def demo(c: FleetContext) -> Outcome:
    """Bring up the fleet, release the sample site to it, and say where to look."""
    urls = dict(fleet.up(STATE, tell=_teller(c)).urls)
    asked = replace(c.asked, stage="sandbox")
    with means(asked, "deploy") as world:
        outcome = main.deploy(asked, world)
    _teller(c)("\nThe site is on:\n" + "\n".join(f"  {urls[name]}/" for name in ("web1", "web2")))
    return Outcome(outcome.release, {"urls": urls})


@fleet_task(
    stage=False,
    positional=(),
    takes_dry=False,
    help={"only": "A part: unit, local or docker."},
)
def test(_c: FleetContext, only: str = "") -> None:
    """Check style and types, then run every test."""
    checks = [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]]
    for check in [] if only else checks:
        _must([sys.executable, "-m", *check])
    _must([sys.executable, "-m", "pytest", f"tests/{only}"])


@fleet_task(
    stage=False,
    takes_dry=False,
    help={
        "full": "Every case, which takes hours, rather than the quick form.",
        "seed": "The seed of what is drawn at random.",
        "only": "One suite of it.",
    },
)
def trust(c: FleetContext, full: bool = False, seed: int = 0, only: str = "") -> None:
    """Kill the controller at every point, break hosts and the network, and count what happens."""
    words = [only] if only else []
    words += ["--full"] if full else []
    words += ["--seed", str(seed)] if seed else []
    words += ["--json"] if c.asked.json else []
    _must([sys.executable, "-m", "tests.trust.trust", *words])


@fleet_task(
    stage=False,
    takes_dry=False,
    help={
        "quick": "Few contestants on one host and on four; about ten minutes.",
        "hosts": "Numbers of web hosts: 1,4.",
        "rtt": "Round-trip times in milliseconds: 0,50.",
        "case": "Of first, redeploy, unchanged, rollback, static.",
        "only": "Contestants by name.",
        "rounds": "How often each case is measured at most.",
        "markdown": "Print the tables as Markdown.",
        "write": "Parts for README.md and docs/performance.md: summary,targets,scale,all.",
        "plot": "A folder for the curves, as SVG.",
    },
)
def bench(
    c: FleetContext,
    quick: bool = False,
    hosts: str = "",
    rtt: str = "",
    case: str = "",
    only: str = "",
    rounds: str = "",
    markdown: bool = False,
    write: str = "",
    plot: str = "",
) -> None:
    """Measure releases of one site by this toolkit, by other tools and by scripts."""
    flags = {"quick": quick, "markdown": markdown, "json": c.asked.json}
    named = {"hosts": hosts, "rtt": rtt, "case": case, "only": only, "rounds": rounds}
    named |= {"write": write, "plot": plot}
    words = [f"--{name}" for name, given in flags.items() if given]
    words += [f"--{name}={value}" for name, value in named.items() if value]
    _must([sys.executable, "-m", "bench.bench", *words])


def _must(argv: list[str]) -> None:
    if subprocess.run(argv, cwd=Path(__file__).parent, check=False).returncode:
        raise DeployError(f"{' '.join(argv[2:])} failed")


def _teller(c: FleetContext):  # type: ignore[no-untyped-def]
    stream = sys.stderr if c.asked.json else sys.stdout
    return lambda line: print(line, file=stream, flush=True)


ns = namespace()
ns.add_collection(Collection("sandbox", up, down, sandbox_status))
ns.add_task(demo)
ns.add_task(test)
ns.add_task(trust)
ns.add_task(bench)
