"""Many hosts in one name: `web[01:12].example.com`."""

import re
from itertools import product

RANGE = re.compile(r"\[(\d+):(\d+)\]", re.ASCII)
MOST = 1000


def expanded(name: str) -> tuple[str, ...]:
    """The names that `name` stands for, in order, zero padding kept; itself if it has no range.

    Raises ValueError, in words, for a range that runs backwards or is longer than 1000.
    """
    parts = RANGE.split(name)
    choices: list[tuple[str, ...]] = []
    for index in range(0, len(parts), 3):
        choices.append((parts[index],))
        if index + 1 < len(parts):
            choices.append(_numbers(parts[index + 1], parts[index + 2]))
    count = 1
    for choice in choices:
        count *= len(choice)
    if count > MOST:
        raise ValueError(f"stands for {count} hosts; {MOST} at most")
    return tuple("".join(words) for words in product(*choices))


def _numbers(first: str, last: str) -> tuple[str, ...]:
    low, high = int(first), int(last)
    if high < low:
        raise ValueError(f"the range runs backwards: {first}:{last}")
    if high - low >= MOST:
        raise ValueError(f"stands for more than {MOST} hosts")
    width = len(first) if first.startswith("0") else 0
    return tuple(f"{number:0{width}d}" for number in range(low, high + 1))
