"""Events on a terminal: one live line a host, and above it the steps that are done."""

import threading
import time
from dataclasses import dataclass, field

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table as Grid
from rich.text import Text

from deploy.report import Began, Ended, Event, Note, Said, Table
from deploy.report.plain import size


@dataclass
class _Row:
    step: str = ""
    since: float = field(default_factory=time.monotonic)
    line: str = ""
    state: str = "waits"


class Screen:
    """A live table of hosts; steps that are done scroll up above it."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._rows: dict[str, _Row] = {}
        self._lock = threading.Lock()
        self._live = Live(
            get_renderable=self._table, console=self._console, refresh_per_second=8, transient=True
        )
        self._live.start()

    def __call__(self, event: Event) -> None:
        with self._lock:
            match event:
                case Began(step, says, hosts, undoing):
                    self._begin(step, says, hosts, undoing)
                case Said(host, _, line):
                    self._row(host).line = line.strip()
                    self._read_along(event)
                case Ended():
                    self._end(event)
                case Note(text):
                    # What hosts say may have brackets, which are no markup.
                    self._console.print(Text(text))
                case Table(title, columns, rows):
                    shown = Grid(title=title or None, box=box.SIMPLE, header_style="bold")
                    for column in columns:
                        # An id that is cut says nothing; one that is folded can be read.
                        shown.add_column(column, overflow="fold")
                    for row in rows:
                        shown.add_row(*map(Text, row))
                    self._console.print(shown)

    def close(self) -> None:
        """Take the live lines away; what was printed stays."""
        self._live.stop()

    def _read_along(self, event: Said) -> None:
        if event.warning or event.told:
            style = "yellow" if event.warning else ""
            self._console.print(Text(event.warning or event.told, style=style))

    def _row(self, host: str) -> _Row:
        return self._rows.setdefault(host, _Row())

    def _begin(self, step: str, says: str, hosts: tuple[str, ...], undoing: bool) -> None:
        style = "yellow" if undoing else "cyan"
        self._console.print(Text.assemble((f"{step:18}", style), says))
        for host in hosts:
            self._rows[host] = _Row(step, state="works")

    def _end(self, event: Ended) -> None:
        row = self._row(event.host)
        row.state, row.line = ("done" if event.ok else "failed"), ""
        sent = f"  {size(event.sent)} sent" if event.sent else ""
        mark = ("  ok ", "green") if event.ok else ("  FAILED ", "bold red")
        text = Text.assemble(mark, f"{event.host:12} {event.seconds:6.1f} s{sent}")
        self._console.print(text)
        if event.error:
            self._console.print(Text(_indented(event.error), style="red"))

    def _table(self) -> Grid:
        table = Grid.grid(padding=(0, 2))
        for host, row in list(self._rows.items()):
            if row.state == "works":
                elapsed = time.monotonic() - row.since
                table.add_row(
                    Text(host, style="bold"),
                    Text(row.step, style="cyan"),
                    f"{elapsed:5.1f} s",
                    Text(row.line[:80], style="dim", no_wrap=True),
                )
        return table


def _indented(text: str) -> str:
    return "\n".join(f"       {line}" for line in text.splitlines())
