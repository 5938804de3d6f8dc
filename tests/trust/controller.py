"""A deploying machine that can be killed at a chosen call: the real toolkit, with counted calls."""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

from deploy import main
from deploy.asked import Asked
from deploy.errors import DeployError, Refused
from deploy.flow import DEPLOY_STATIC
from deploy.freeze import freeze, thaw
from deploy.here import Here
from deploy.host import Host
from deploy.means import Means
from deploy.outcome import Outcome
from deploy.reach import Reach
from deploy.recover import recover
from deploy.report.ending import ending
from deploy.report.plain import Plain
from deploy.rollback import go_back
from deploy.schema import wish
from deploy.ssh.link import Link
from deploy.ssh.times import Times
from deploy.tasks.means import means
from tests.trust.calls import Counted, Point


def _options(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="controller")
    parser.add_argument("verb")
    parser.add_argument("words", nargs="*")
    parser.add_argument("--top", type=Path, required=True, help="the project")
    parser.add_argument("--log", type=Path, required=True, help="where calls are written down")
    parser.add_argument(
        "--at",
        type=Point.parse,
        action="append",
        default=[],
        metavar="HOST:NUMBER:MODE:DELAY",
        help="where it dies, or what else happens there",
    )
    parser.add_argument("--program", default="", help="what modes late and strike run here")
    parser.add_argument("--gate", type=Path, help="begin when this file is there")
    parser.add_argument("--hosts", default="", help="-H")
    parser.add_argument("--roles", default="", help="-R")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--keep-schema", action="store_true", help="of a rollback")
    parser.add_argument("--migrate-back", action="store_true", help="of a rollback")
    parser.add_argument("--times", default="", help="BEAT,DEAD,GONE,GRACE in seconds")
    return parser.parse_args(words)


def _asked(options: argparse.Namespace) -> Asked:
    return Asked(
        options.top,
        stage="sandbox",
        roles=tuple(filter(None, options.roles.split(","))),
        hosts=tuple(filter(None, options.hosts.split(","))),
        sets=tuple((key, value) for key, _, value in (one.partition("=") for one in options.set)),
        yes=True,
    )


def _means(options: argparse.Namespace, real: Means) -> Means:
    times = Times(*map(float, options.times.split(","))) if options.times else Times()

    def reach(host: Host, words: str) -> Reach:
        return Counted(Link(host, words, times), options.log, options.at, program)

    program = tuple(options.program.split())
    here = Counted(Here(), options.log, options.at, program)
    return replace(real, here=here, reach=reach, emit=Plain(sys.stdout))


def act(options: argparse.Namespace, asked: Asked, world: Means) -> Outcome:
    """Do what the words ask for, as the tasks of the toolkit do it."""
    word = options.words[0] if options.words else ""
    match options.verb:
        case "deploy":
            return main.deploy(asked, world, word)
        case "deploy-static":
            return main.deploy(asked, world, word, DEPLOY_STATIC)
        case "rollback":
            schema = wish(keep_schema=options.keep_schema, migrate_back=options.migrate_back)
            return go_back(asked, world, word, schema=schema)
        case "recover":
            return recover(asked, world)
        case "freeze":
            return freeze(asked, world, word)
        case "thaw":
            return thaw(asked, world)
    raise Refused(f"no such verb: {options.verb}")


def run(words: list[str]) -> int:
    """The exit code of `fab` for these words; what it would have said goes to standard output."""
    options = _options(words)
    asked = _asked(options)
    while options.gate and not options.gate.exists():
        time.sleep(0.005)
    try:
        with means(asked, options.verb, logged=False) as real:
            act(options, asked, _means(options, real))
    except (Exception, KeyboardInterrupt) as error:
        end = ending(error)
        hint = f"next: {end.error.hint}\n" if isinstance(end.error, DeployError) else ""
        sys.stdout.write(f"error: {end.error.what}\n{hint}{end.trace}")
        return end.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
