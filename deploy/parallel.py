"""Many hosts at once, in threads, while the main thread stays interruptible."""

import queue
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Value = TypeVar("Value")


def in_parallel(items: Sequence[Item], work: Callable[[Item], Value], limit: int) -> list[Value]:
    """`work` on every item, at most `limit` at once, in threads that cannot keep the process alive.

    Waits for all of them, and stays interruptible while it waits. The first exception is raised
    when all are done.
    """
    slots = threading.Semaphore(limit)
    values: dict[int, Value] = {}
    errors: dict[int, BaseException] = {}
    ended: queue.Queue[None] = queue.Queue()

    def one(index: int, item: Item) -> None:
        with slots:
            try:
                values[index] = work(item)
            except BaseException as error:  # raised again by the thread that waits
                errors[index] = error
        ended.put(None)

    for index, item in enumerate(items):
        threading.Thread(target=one, args=(index, item), daemon=True).start()
    for _ in items:
        ended.get()
    if errors:
        raise errors[min(errors)]
    return [values[index] for index in range(len(items))]
