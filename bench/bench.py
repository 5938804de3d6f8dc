"""The same site, hosts and cases for this toolkit, its peers, the floor and the limit."""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import show
from bench.contestants import Contestant, Missing, Place
from bench.contestants.line_up import ALL, QUICK
from bench.fleet import Hosts, down
from bench.race import Race, Wish
from bench.result import CASES, FIRST, REDEPLOY, ROLLBACK, STATIC, Results, read
from bench.site import make_site
from bench.startup import startup
from deploy.errors import DeployError, Refused
from tests.docker.checkout import environment

TOP = Path(__file__).parents[1]
STATE = TOP / ".sandbox" / "bench"
SSH = """
Host {name}
  HostName 127.0.0.1
  Port {port}
  User deploy
  IdentityFile {key}
  IdentitiesOnly yes
  UserKnownHostsFile {known_hosts}
  StrictHostKeyChecking yes
"""
UNSAID = ("--json", "--markdown", "--write", "--plot", "--keep")
"""Options that change nothing of what is measured."""
Tell = Callable[[str], None]


def main(words: Sequence[str]) -> int:
    """Run as a program: measure, or read what was measured, and show it."""
    said = _parser().parse_args(words)
    said.typed = " ".join(word for word in words if not word.startswith(UNSAID))
    stream = sys.stderr if said.json or said.markdown else sys.stdout
    tell: Tell = lambda line: print(line, file=stream, flush=True)  # noqa: E731
    try:
        if said.plot:
            show.must_draw()  # before an hour is spent on measuring
        results = read(said.read) if said.read else measured(said, tell)
    except DeployError as error:
        tell(f"error: {error.what}\nnext: {error.hint}" if error.hint else f"error: {error.what}")
        return error.exit_code
    shown(results, said, tell)
    return int("us" in results.missing)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./fab bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few contestants, about ten minutes")
    parser.add_argument("--hosts", type=_numbers, help="numbers of web hosts: 1,4")
    parser.add_argument("--rtt", type=_numbers, help="round-trip times in milliseconds: 0,50")
    parser.add_argument("--case", type=_words, help=f"of {', '.join(CASES)}")
    parser.add_argument("--only", type=_words, help="contestants by name")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each case at most")
    parser.add_argument("--minutes", type=float, help="begin no other round after so many")
    parser.add_argument("--json", action="store_true", help="one line a ratio")
    parser.add_argument("--markdown", action="store_true", help="the tables as Markdown")
    parser.add_argument("--write", type=_words, help=f"put into pages: {', '.join(show.PARTS)}")
    parser.add_argument("--plot", type=Path, help="a folder for the curves, as SVG")
    parser.add_argument("--read", type=Path, help="show what an earlier run has kept")
    parser.add_argument("--keep", action="store_true", help="leave the fleet there")
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(sorted({int(word) for word in text.split(",")}))


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def wished(said: argparse.Namespace) -> Wish:
    """What to measure, from the options."""
    cases = said.case or ((FIRST, REDEPLOY, ROLLBACK, STATIC) if said.quick else tuple(CASES))
    if unknown := sorted(set(cases) - set(CASES)):
        raise Refused(f"there is no case {', '.join(unknown)}; there are {', '.join(CASES)}")
    hosts = said.hosts or ((1, 4) if said.quick else (1, 2, 4, 8, 16, 32))
    minutes = said.minutes or (9.0 if said.quick else 120.0)
    return Wish(hosts, said.rtt or (0, 50), cases, said.rounds, minutes)


def chosen(said: argparse.Namespace) -> tuple[Contestant, ...]:
    """Who is to take part, from the options."""
    everybody = QUICK if said.quick else ALL
    names = said.only or tuple(one.name for one in everybody)
    known = {one.name: one for one in ALL}
    if unknown := sorted(set(names) - set(known)):
        raise Refused(f"there is no contestant {', '.join(unknown)}; there are {', '.join(known)}")
    return tuple(known[name] for name in names)


def measured(said: argparse.Namespace, tell: Tell) -> Results:
    """Bring everything up, run the race, and keep what was measured."""
    wish, contestants = wished(said), chosen(said)
    hosts = Hosts(STATE, sum(wish.hosts), tell)
    try:
        hosts.prepare([one.name for one in contestants])
        place = make_place(hosts)
        versions, missing = prepared(contestants, place, tell)
        present = [one for one in contestants if one.name in versions]
        race = Race(hosts, place, present, wish, tell)
        peers = [one.name for one in present if one.is_peer]
        begun = startup(place.site.top, place.site.checkout.env)
        race.run()
        command = f"./fab bench {said.typed}".strip()
        missing |= race.lost
        results = Results(race.measured, versions, peers, missing, show.today(), command, begun)
        results.keep(STATE / "results.json")
        return results
    finally:
        hosts.close()
        if not said.keep:
            down(STATE, tell)


def prepared(
    contestants: Sequence[Contestant], place: Place, tell: Tell
) -> tuple[dict[str, str], dict[str, str]]:
    """The versions of those who can take part, and why the others cannot."""
    versions, missing = {}, {}
    for one in contestants:
        try:
            versions[one.name] = one.prepare(place)
            tell(f"{one.name}: {versions[one.name]}")
        except Missing as why:
            missing[one.name] = str(why)
            tell(f"{one.name} is missing: {why}")
    return versions, missing


def make_place(hosts: Hosts) -> Place:
    """The site's repository, its wheels, and a Python that has them for collecting here."""
    home = STATE / "work"
    home.mkdir(exist_ok=True)
    _forget(home)
    env = environment(home)
    # The dates of commits are those of files in an archive, by which compiled code is known.
    env = {name: text for name, text in env.items() if not name.endswith("_DATE")}
    site = make_site(home / "site", hosts.known_hosts, env)
    requirements = site.top / "site" / "requirements.txt"
    wheelhouse, venv = home / "wheelhouse", home / "venvs" / "site"
    if not venv.exists():
        _must(sys.executable, "-m", "venv", str(venv))
        _must(str(venv / "bin" / "pip"), "install", "-q", "-r", str(requirements))
        for_hosts = ("--python-version", "3.11", "--only-binary", ":all:")
        download = ("-m", "pip", "download", "-q", "-d", str(wheelhouse), *for_hosts)
        _must(sys.executable, *download, "-r", str(requirements))
    config = home / "ssh_config"
    names = {"key": hosts.key, "known_hosts": hosts.known_hosts}
    config.write_text(
        "".join(SSH.format(name=host.name, port=host.port, **names) for host in hosts.all)
    )
    python = venv / "bin" / "python"
    return Place(home, site, wheelhouse, python, config, hosts.key, hosts.known_hosts)


def _forget(home: Path) -> None:
    """Take away what an earlier run has made of the same revisions; packages may stay."""
    for one in home.iterdir():
        if one.is_file():
            one.unlink()
        elif one.name not in ("venvs", "wheelhouse"):
            shutil.rmtree(one)


def _must(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(f"{' '.join(argv[:4])} failed: {done.stderr[-500:]}")


def shown(results: Results, said: argparse.Namespace, tell: Tell) -> None:
    """Print it in the form that was asked for, and write what was to be written."""
    if said.json:
        print("\n".join(ratio.line() for ratio in results.ratios()))
    elif said.markdown:
        print(show.markdown(results))
    else:
        show.tables(results)
    if said.write:
        tell(f"wrote {', '.join(show.write(results, TOP, said.write))}")
    if said.plot:
        tell(f"wrote {', '.join(show.plot(results, said.plot))}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
