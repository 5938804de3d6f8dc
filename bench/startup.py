"""How long an operator waits before anything begins: `fab --list` and completion."""

import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median

WORDS = {"fab --list": ("--list",), "completion": ("--complete", "--", "fab", "dep")}
TIMES = 7


def startup(top: Path, env: Mapping[str, str]) -> dict[str, float]:
    """Seconds of each, as the median of several, in the project at `top`."""
    fab = str(Path(sys.executable).with_name("fab"))
    return {
        name: median(_once([fab, *words], top, env) for _ in range(TIMES))
        for name, words in WORDS.items()
    }


def _once(argv: list[str], top: Path, env: Mapping[str, str]) -> float:
    began = time.monotonic()
    subprocess.run(argv, cwd=top, env=dict(env), check=True, capture_output=True)
    return time.monotonic() - began
