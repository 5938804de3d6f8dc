"""Says whether the settings of a release load with shared/env: loads.py ROOT RELEASE.

One line and exit code 1 if they do not: what is missing, by its name, and never a value.
"""

from __future__ import annotations

import sys
from pathlib import Path

from enter import enter, facts, release_of
from envfile import NotReady, mask


def main(arguments: list[str]) -> int:
    """Imports the settings and looks at what no site can do without."""
    root = Path(arguments[0])
    values: dict[str, str] = {}
    try:
        release = release_of(root, arguments[1])
        module = facts(root, release)["settings"]
        values = enter(root, release, module)
        from django.conf import settings

        if not settings.SECRET_KEY:
            raise NotReady("SECRET_KEY is empty")
    except NotReady as error:
        return _no(str(error))
    except KeyError as error:
        return _no(f"{module} needs {error.args[0]}, which is not in shared/env")
    except (Exception, SystemExit) as error:
        return _no(mask(f"{module} does not load: {type(error).__name__}: {error}", values))
    return 0


def _no(text: str) -> int:
    sys.stdout.write(f"{' '.join(text.split())}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
