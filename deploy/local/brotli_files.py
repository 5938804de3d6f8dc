"""Puts a .br beside each .gz below a directory: brotli_files.py DIRECTORY

Run by the toolkit's own Python, which has the brotli package. The same content makes the same
bytes.
"""

import sys
from pathlib import Path

import brotli


def main(directory: Path) -> None:
    """Compress what was worth a .gz, as well as the format can."""
    for packed in directory.rglob("*.gz"):
        plain = packed.with_suffix("")
        if plain.is_file():
            plain.with_name(f"{plain.name}.br").write_bytes(brotli.compress(plain.read_bytes()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
