"""Readers: pages, and all that they name, while something happens to the fleet."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urljoin

from tests.docker.hosts import WEB, Hosts, ask

ASSET = re.compile(r"""(?:href|src)="([^"]*/static/[^"]+)"|url\(["']?([^"')]+)["']?\)""")


@dataclass
class Readers:
    """Browsers that open pages while the block lasts, and then all that the pages name.

    Half of the pages are kept for a while before their assets are asked for, as by a slow reader.
    """

    hosts: Hosts
    failures: list[str] = field(default_factory=list)
    pages: int = 0
    assets: int = 0

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read for as long as the block lasts."""
        stop = threading.Event()
        readers = [
            threading.Thread(target=self._read, args=(name, path, slow, stop))
            for name in WEB
            for path in ("/", "/admin/login/")
            for slow in (False, True)
        ]
        for reader in readers:
            reader.start()
        try:
            yield
        finally:
            stop.set()
            for reader in readers:
                reader.join()

    def _read(self, name: str, path: str, slow: bool, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                page = self.hosts.get(name, path)
                if slow:
                    stop.wait(3.0)
                if page.status != 200:
                    self.failures.append(f"{name}{path}: {page.status}")
                    continue
                self.pages += 1
                self._assets(f"{name}{path} of {page.release}", page.text)
            except OSError as error:
                self.failures.append(f"{name}{path}: {error}")
            stop.wait(0.2)

    def _assets(self, page: str, text: str) -> None:
        """All that the page names, and what its style sheets name."""
        for found in ASSET.finditer(text):
            address = found[1]
            if not address:
                continue
            answer = ask(address)
            self.assets += 1
            if answer.status != 200:
                self.failures.append(f"{page}: {address}: {answer.status}")
            for inner in ASSET.finditer(answer.text if address.endswith(".css") else ""):
                path = (inner[2] or "").partition("#")[0]
                if path and not path.startswith("data:"):
                    deeper = urljoin(address, path)
                    self.assets += 1
                    if ask(deeper).status != 200:
                        self.failures.append(f"{page}: {deeper}")
