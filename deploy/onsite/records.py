"""What each release on this host does not know of what runs have migrated: records.py ROOT

One line a release, `ID MIGRATION ...`, for those that lack something. From the records alone, so
that it is fast and works while the database is down; `goback.py` asks the database itself.
"""

from __future__ import annotations

import sys
from pathlib import Path

from applied import standing
from schema import records


def main(root: Path) -> int:
    """Print the lines."""
    applied = standing(root)
    for release, known in sorted(records(root).items()):
        unknown = [name for name in applied if name not in known]
        if unknown:
            sys.stdout.write(f"{release} {' '.join(unknown)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
