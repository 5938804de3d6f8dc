"""limit.py deploy|rollback: as little as a release can cost. One connection and one command a host.

On its one channel the host says what it has, is sent the difference between two revisions, says
READY, is told GO when all are ready, and says DONE. Everything expensive is known by its content.
There is no lock, no journal and no verification: this is a yardstick, not a tool.
"""

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import lru_cache

DEPLOY = r"""
set -e; root=$1 shared=$2; cd "$root"; mkdir -p releases venvs static
echo "$(cat current/REVISION 2>/dev/null || echo none) $(ls venvs | tr '\n' ,)"
read -r rel revision packages static migrations first tar gone wheels
R=releases/$rel; V=$root/venvs/$packages; mkdir "$R"
if [ "$gone" -ge 0 ]; then
  for entry in current/*; do
    case $entry in */venv | */staticfiles | */REVISION) ;; *) cp -al "$entry" "$R/" ;; esac
  done
fi
[ "$tar" = 0 ] || head -c "$tar" | tar -C "$R" -xmf -
while [ "$gone" -gt 0 ]; do read -r file; rm -f "$R/$file"; gone=$((gone - 1)); done
echo "$revision" >"$R/REVISION"
if [ "$wheels" != 0 ]; then
  mkdir -p wheelhouse; head -c "$wheels" | tar -C wheelhouse -xf -; python3 -m venv "$V"
  "$V/bin/pip" install -q --disable-pip-version-check --no-index --find-links wheelhouse \
    -r "$R/requirements.txt"
fi
cd "$R"; ln -s "$V" venv; ln -s "$root/static/$static" staticfiles
manage() { env $(cat "$shared/env") DJANGO_SETTINGS_MODULE=config.settings.production \
  venv/bin/python manage.py "$@" --noinput -v0; }
[ -d "$root/static/$static" ] || { mkdir "$root/static/$static"; manage collectstatic; }
if [ "$first" = 1 ] && [ "$(cat "$root/migrated" 2>/dev/null)" != "$migrations" ]; then
  manage migrate; echo "$migrations" >"$root/migrated"
fi
cd "$root"; echo READY; read -r go; [ "$go" = GO ]
ln -s "$R" current.new; mv -T current.new current; sudo -n apachectl graceful; echo DONE
cd releases; ls -1 | head -n -5 | xargs -r rm -rf
"""
ROLLBACK = r"""
set -e; cd "$1"; live=$(basename "$(readlink current)")
before=$(ls -1 releases | grep -B1 -x "$live" | head -1); [ "$before" != "$live" ]
ln -s "releases/$before" current.new; mv -T current.new current; sudo -n apachectl graceful
echo DONE
"""
HOSTS = os.environ["HOSTS"].split()
ROOT, SHARED, WHEELHOUSE = (os.environ[name] for name in ("ROOT", "SHARED", "WHEELHOUSE"))
REPO = os.environ["REPO"]
LOCK = threading.Lock()


def git(*words: str) -> bytes:
    return subprocess.run(["git", "-C", REPO, *words], check=True, stdout=subprocess.PIPE).stdout


def key(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:12]


class Channel:
    """One command on one host, from its first word to its last."""

    def __init__(self, host: str, script: str) -> None:
        words = ["ssh", "-F", os.environ["SSH_CONFIG"], host, "sh", "-c", quoted(script)]
        words += ["sh", ROOT, SHARED]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin, self.process.stdout

    def tell(self, data: bytes) -> None:
        self.stdin.write(data)
        self.stdin.flush()

    def hear(self) -> str:
        return self.stdout.readline().decode().strip()

    def must_hear(self, word: str) -> None:
        if (heard := self.hear()) != word:
            raise SystemExit(f"not {word} but {heard!r}")

    def close(self) -> None:
        self.stdin.close()
        if self.process.wait():
            raise SystemExit("a host failed")


def quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


@lru_cache
def difference(base: str) -> tuple[bytes, tuple[str, ...] | None]:
    """What turns the tree of a revision into the newest, as an archive and as names to remove."""
    if base == "none":
        return git("archive", "HEAD:site"), None
    changed = git("diff", "--no-renames", "--name-status", "--relative=site", base, "HEAD")
    pairs = [line.split("\t") for line in changed.decode().splitlines()]
    there = [name for state, name in pairs if state != "D"]
    gone = tuple(name for state, name in pairs if state == "D")
    return (git("archive", "HEAD:site", "--", *there) if there else b""), gone


def wheels() -> bytes:
    words = ["tar", "-C", WHEELHOUSE, "-cf", "-", "."]
    return subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout


def deploy() -> None:
    channels = {host: Channel(host, DEPLOY) for host in HOSTS}
    release = datetime.now(UTC).strftime("%Y%m%d%H%M%S%f")
    revision = git("rev-parse", "HEAD").decode().strip()
    packages = key(git("show", "HEAD:site/requirements.txt"))
    trees = git("ls-tree", "HEAD", "site/guestbook/static", "site/config/settings/")
    static = key(trees + packages.encode())
    names = git("ls-tree", "-r", "HEAD", "site").splitlines()
    migrations = key(b"".join(line for line in names if b"/migrations/" in line))
    ready = threading.Barrier(len(HOSTS))

    def release_to(host: str) -> None:
        channel = channels[host]
        base, _, venvs = channel.hear().partition(" ")
        with LOCK:
            archive, gone = difference(base)
        sent = b"" if packages in venvs else wheels()
        count = -1 if gone is None else len(gone)
        order = (release, revision, packages, static, migrations, int(host == HOSTS[0]))
        sizes = (len(archive), count, len(sent))
        line = " ".join(map(str, (*order, *sizes))) + "\n"
        removed = "".join(f"{name}\n" for name in gone or ())
        channel.tell(line.encode() + archive + removed.encode() + sent)
        channel.must_hear("READY")
        ready.wait()
        channel.tell(b"GO\n")
        channel.must_hear("DONE")
        channel.close()

    everywhere(release_to)


def rollback() -> None:
    def back(host: str) -> None:
        channel = Channel(host, ROLLBACK)
        channel.must_hear("DONE")
        channel.close()

    everywhere(back)


def everywhere(act: Callable[[str], None]) -> None:
    with ThreadPoolExecutor(len(HOSTS)) as pool:
        list(pool.map(act, HOSTS))


if __name__ == "__main__":
    {"deploy": deploy, "rollback": rollback}[sys.argv[1]]()
