"""The options that the toolkit adds to `fab`, and what was given for them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from invoke.parser.argument import Argument

from deploy.asked import Asked
from deploy.errors import Refused
from deploy.site import default_stage, find_top

MOST_AT_ONCE = 1000


def arguments() -> list[Argument]:
    """The options themselves, new ones each time: Invoke keeps what was given in them."""
    return [
        _list(("roles", "R"), "ROLE,...: the roles to work on."),
        _list(("exclude-hosts", "x"), "HOST,...: the hosts to leave out."),
        Argument(names=("inventory", "I"), help="The stage: the name of a file in inventories/."),
        Argument(names=("pool-size", "z"), help="The most hosts to work on at once."),
        _switch("serial", "Work on one host after the other."),
        _switch("skip-bad-hosts", "Go on without hosts that cannot be reached."),
        _list(("set",), "KEY=VALUE for this run; may be repeated."),
        Argument(names=("wait",), help="Seconds to wait while another run has the hosts' locks."),
        _switch("yes", "Do not ask where a stage wants to be confirmed."),
        _switch("json", "Tell the result in lines of JSON."),
    ]


def asked(args: Mapping[str, Any], start: Path, environ: Mapping[str, str]) -> Asked:
    """What the options say; Refused if one of them makes no sense. `start` is the fabfile's."""
    if args["inventory"].value == "":
        raise Refused("-I was given nothing: an empty variable must not mean the usual stage")
    top = find_top(start)
    return Asked(
        top=top,
        stage=args["inventory"].value or default_stage(top, environ),
        roles=words(args, "roles", "-R"),
        hosts=words(args, "hosts", "-H"),
        exclude=words(args, "exclude-hosts", "-x"),
        pool_size=_pool_size(args["pool-size"].value),
        serial=args["serial"].value,
        skip_bad_hosts=args["skip-bad-hosts"].value,
        sets=tuple(_pair(text) for text in args["set"].value),
        wait=_seconds(args["wait"].value),
        yes=args["yes"].value,
        dry=args["dry"].value,
        json=args["json"].value,
        ssh=_ssh(args),
    )


def words(args: Mapping[str, Any], name: str, flag: str) -> tuple[str, ...]:
    """The comma-separated words given for an option, each once; Refused if given but empty."""
    given = args[name].value
    if given is None or given == []:
        return ()
    parts = ",".join(given).split(",") if isinstance(given, list) else given.split(",")
    found = tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))
    if not found:
        raise Refused(f"{flag} was given nothing")
    return found


def _switch(name: str, help: str) -> Argument:
    return Argument(names=(name,), kind=bool, default=False, help=help)


def _list(names: tuple[str, ...], help: str) -> Argument:
    argument = Argument(names=names, kind=list, help=help)
    # Invoke takes an empty list for a value: a forgotten one must not mean the whole fleet.
    argument.raw_value = None
    return argument


def _seconds(text: str | None) -> float:
    if text is None:
        return 0.0
    if not text.isdecimal():
        raise Refused(f"--wait wants whole seconds, not {text!r}")
    return float(text)


def _pool_size(text: str | None) -> int:
    if text is None:
        return 0
    # isdecimal accepts other scripts' digits, and so does int.
    if not text.isdecimal() or not 1 <= int(text) <= MOST_AT_ONCE:
        raise Refused(f'-z wants a number of hosts from 1 to {MOST_AT_ONCE}, not "{text}"')
    return int(text)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise Refused(f'--set wants KEY=VALUE, such as web.threads=8, not "{text}"')
    return key.strip(), value


def _ssh(args: Mapping[str, Any]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    identities = args["identity"].value
    if len(identities) > 1:
        raise Refused("-i can be given once: every host of a stage takes the same key file")
    if identities:
        given["identity"] = str(Path(identities[0]).expanduser().absolute())
    if args["ssh-config"].value:
        given["config"] = str(Path(args["ssh-config"].value).expanduser().absolute())
    if args["connect-timeout"].value:
        given["connect_timeout"] = float(args["connect-timeout"].value)
    return given
