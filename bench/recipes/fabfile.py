"""`fab -H web1,web2 deploy`, as books write it: one host after the other, a command at a time."""

import os
import subprocess
import tempfile
import time
from hashlib import sha256

from fabric import Connection, task

ROOT, SHARED, WORK = (os.environ[name] for name in ("ROOT", "SHARED", "WORK"))
MANAGE = (
    f"env $(cat {SHARED}/env) DJANGO_SETTINGS_MODULE=config.settings.production venv/bin/python"
)
RELEASE = os.environ["RELEASE"]
FIRST = os.environ["HOSTS"].split()[0]


@task
def deploy(c: Connection) -> None:
    where = f"{ROOT}/releases/{RELEASE}"
    upload_source(c, where)
    update_virtualenv(c, where)
    c.run(f"cd {where} && {MANAGE} manage.py collectstatic --noinput -v0")
    if c.original_host == FIRST:
        c.run(f"cd {where} && {MANAGE} manage.py migrate --noinput -v0")
    switch(c, RELEASE)
    c.run("sudo apachectl graceful")
    c.run(f"cd {ROOT}/releases && ls -1 | head -n -5 | xargs -r rm -rf")


@task
def rollback(c: Connection) -> None:
    live = c.run(f"readlink {ROOT}/current", hide=True).stdout.strip().rpartition("/")[2]
    there = c.run(f"ls {ROOT}/releases", hide=True).stdout.split()
    switch(c, there[there.index(live) - 1])
    c.run("sudo apachectl graceful")


@task
def static(c: Connection) -> None:
    site, where = f"{WORK}/pages/site", f"{ROOT}/releases/{RELEASE}"
    settings = "SECRET_KEY=none DATABASE_URL=sqlite://:memory: "
    settings += "DJANGO_SETTINGS_MODULE=config.settings.production"
    c.local(f"git -C {site} pull -q")
    c.local(
        f"cd {site} && {settings} {os.environ['SITE_PYTHON']} manage.py collectstatic --noinput -v0"
    )
    send(c, f"tar -C {site}/staticfiles -czf", where)
    switch(c, RELEASE)


def upload_source(c: Connection, where: str) -> None:
    with tempfile.NamedTemporaryFile(suffix=".tar.gz") as archive:
        words = ["git", "-C", os.environ["REPO"], "archive", "-o", archive.name, "HEAD:site"]
        subprocess.run(words, check=True)
        unpack(c, archive.name, where)


def send(c: Connection, pack: str, where: str) -> None:
    with tempfile.NamedTemporaryFile(suffix=".tar.gz") as archive:
        c.local(f"{pack} {archive.name} .")
        unpack(c, archive.name, where)


def unpack(c: Connection, archive: str, where: str) -> None:
    c.run(f"mkdir -p {where}")
    c.put(archive, f"{where}.tar.gz")
    c.run(f"tar -xzf {where}.tar.gz -C {where} && rm {where}.tar.gz")


def update_virtualenv(c: Connection, where: str) -> None:
    with open(f"{os.environ['REPO']}/site/requirements.txt", "rb") as requirements:  # noqa: PTH123
        venv = f"{ROOT}/venvs/{sha256(requirements.read()).hexdigest()[:12]}"
    if c.run(f"test -e {venv}/done", warn=True).failed:
        wheels = f"{WORK}/wheels-{time.time():.0f}.tar"
        c.local(f"tar -C {os.environ['WHEELHOUSE']} -cf {wheels} .")
        c.put(wheels, f"{ROOT}/wheels.tar")
        c.run(f"mkdir -p {ROOT}/wheels && tar -xf {ROOT}/wheels.tar -C {ROOT}/wheels")
        c.run(f"python3 -m venv {venv}")
        pip = f"{venv}/bin/pip install -q --no-index --find-links {ROOT}/wheels"
        c.run(f"{pip} -r {where}/requirements.txt && touch {venv}/done")
    c.run(f"ln -s {venv} {where}/venv")


def switch(c: Connection, release: str) -> None:
    c.run(f"ln -sfn releases/{release} {ROOT}/next && mv -T {ROOT}/next {ROOT}/current")
