"""Tells what Django's deployment checklist asks about: checklist.py [options] ROOT RELEASE < SALT

Runs in the release's own Python, with the settings and the environment that Apache's processes
have, and starts Django once. Prints one line that begins with `checklist: `, with JSON: facts, no
verdicts, and no value that is secret; what could not be found out is left out. The salt, a line on
standard input, makes digests of secrets comparable within one run and worthless after it.
Exit code 2: not started, standard error says why.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from codefacts import code
from enter import enter, facts, release_of
from envfile import NotReady, mask
from hostfacts import apache, disk, processes, requirements
from places import static_place
from reachable import caches, databases, email
from sitefacts import error_pages, logs, plain, python, secret_key, self_checks, uploads
from sitefault import fault_of

ANSWER = "checklist: "


def main(arguments: list[str]) -> int:
    """Enter the release, ask everything once, and say it in one line."""
    options = _options(arguments)
    salt = sys.stdin.readline().strip()
    try:
        release = release_of(options.root, options.release)
        about = facts(options.root, release)
        module = options.settings or about["settings"]
        values = enter(options.root, release, module)
    except NotReady as error:
        sys.stderr.write(f"{error}\n")
        return 2
    found: dict[str, Any] = {"release": release.name, "settings": module, "untold": {}}

    def ask(question: Callable[..., dict[str, Any]], *words: Any) -> None:
        try:
            found.update(question(*words))
        except Exception as error:  # one thing that cannot be told must not hide all the others
            found["untold"][question.__name__] = type(error).__name__

    ask(disk, options.root)
    ask(apache, about["name"])
    ask(processes, about.get("private_ports", ()))
    ask(requirements, release, options.requirements)
    found["fault"] = _started(release)
    secrets = []
    if not found["fault"]:
        for question in (plain, python, logs, error_pages, self_checks):
            ask(question)
        secrets = _secrets()
        ask(secret_key, salt)
        for question in (static_place, uploads):
            ask(question, options.root, release)
        for question in (databases, caches, email):
            ask(question, release)
    ask(code, options.root, release, secrets, options.user, options.group)
    found["time"] = time.time()
    sys.stdout.write(f"{ANSWER}{json.dumps(_masked(found, values))}\n")
    return 0


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="checklist.py")
    parser.add_argument("--settings", default="", help="another settings module than the site's")
    parser.add_argument("--requirements", default="", help="the release's requirements file")
    parser.add_argument("--user", default="www-data", help="whom the site's processes run as")
    parser.add_argument("--group", default="www-data", help="their group")
    parser.add_argument("root", type=Path)
    parser.add_argument("release")
    return parser.parse_args(arguments)


def _started(release: Path) -> str:
    """Nothing once Django has started, or in one line why it does not."""
    try:
        import django

        django.setup()
    except (Exception, SystemExit) as error:  # settings are code, and may raise anything
        return fault_of(error, release)
    return ""


def _secrets() -> list[tuple[str, str]]:
    """What must not stand in the code: the name of each secret, and its value."""
    from django.conf import settings

    found = [("SECRET_KEY", settings.SECRET_KEY)]
    for alias, database in settings.DATABASES.items():
        found.append((f"the PASSWORD of DATABASES[{alias!r}]", database.get("PASSWORD") or ""))
    found.append(("EMAIL_HOST_PASSWORD", settings.EMAIL_HOST_PASSWORD))
    return [(name, str(value)) for name, value in found if value]


def _masked(found: Any, values: dict[str, str], key: str = "") -> Any:
    """The same, with what other programs say - errors and messages - cleared of secrets."""
    if isinstance(found, dict):
        return {name: _masked(one, values, name) for name, one in found.items()}
    if isinstance(found, list):
        return [_masked(one, values, key) for one in found]
    return mask(found, values) if key in ("fault", "message") else found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
