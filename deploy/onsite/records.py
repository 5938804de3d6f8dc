"""What each release on this host does not know of what runs have migrated: records.py ROOT

One line a release, `ID MIGRATION ...`, for those that lack something. From the records alone, so
that it is fast and works while the database is down; `goback.py` asks the database itself.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from applied import standing
from schema import RECORD


def main(root: Path) -> int:
    """Print the lines."""
    applied = standing(root)
    for record in sorted((root / "releases").glob(f"[0-9]*/{RECORD}")):
        known = json.loads(record.read_text(encoding="utf-8"))
        unknown = [name for name in applied if name not in known]
        if unknown:
            sys.stdout.write(f"{record.parent.name} {' '.join(unknown)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
