"""group.py deploy|rollback|static: a release with a Fabric ThreadingGroup, a command at a time."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from fabric import Config, ThreadingGroup
from paramiko import RejectPolicy

ROOT, SHARED, WORK = (os.environ[name] for name in ("ROOT", "SHARED", "WORK"))
MANAGE = (
    f"env $(cat {SHARED}/env) DJANGO_SETTINGS_MODULE=config.settings.production venv/bin/python"
)


def hosts() -> ThreadingGroup:
    config = Config(runtime_ssh_path=os.environ["SSH_CONFIG"])
    group = ThreadingGroup(*os.environ["HOSTS"].split(), config=config)
    for connection in group:
        connection.client.load_host_keys(os.environ["KNOWN_HOSTS"])
        connection.client.set_missing_host_key_policy(RejectPolicy)
    return group


def switch(group: ThreadingGroup, release: str) -> None:
    group.run(f"ln -sfn releases/{release} {ROOT}/next && mv -T {ROOT}/next {ROOT}/current")


def archive(what: str) -> str:
    path = f"{WORK}/release.tar.gz"
    words = ["git", "-C", os.environ["REPO"], "archive", "--format=tar.gz", "-o", path, what]
    subprocess.run(words, check=True)
    return path


def deploy() -> None:
    release = datetime.now(UTC).strftime("%Y%m%d%H%M%S")
    where = f"{ROOT}/releases/{release}"
    requirements = (Path(os.environ["REPO"]) / "site" / "requirements.txt").read_bytes()
    venv = f"{ROOT}/venvs/{sha256(requirements).hexdigest()[:12]}"
    group = hosts()
    group.run(f"mkdir -p {where} {ROOT}/venvs")
    group.put(archive("HEAD:site"), f"{where}.tar.gz")
    group.run(f"tar -xzf {where}.tar.gz -C {where}")
    group.run(f"rm {where}.tar.gz")
    has_venv = group.run(f"test -e {venv}/done", warn=True)
    if not all(result.ok for result in has_venv.values()):
        wheels = f"{WORK}/wheels.tar"
        subprocess.run(["tar", "-C", os.environ["WHEELHOUSE"], "-cf", wheels, "."], check=True)
        group.put(wheels, f"{ROOT}/wheels.tar")
        group.run(f"mkdir -p {ROOT}/wheels && tar -xf {ROOT}/wheels.tar -C {ROOT}/wheels")
        group.run(f"python3 -m venv {venv}")
        pip = f"{venv}/bin/pip install -q --no-index --find-links {ROOT}/wheels"
        group.run(f"{pip} -r {where}/requirements.txt && touch {venv}/done")
    group.run(f"ln -s {venv} {where}/venv")
    group.run(f"cd {where} && {MANAGE} manage.py collectstatic --noinput -v0")
    group[0].run(f"cd {where} && {MANAGE} manage.py migrate --noinput -v0")
    switch(group, release)
    group.run("sudo apachectl graceful")
    group.run(f"cd {ROOT}/releases && ls -1 | head -n -5 | xargs -r rm -rf")


def rollback() -> None:
    group = hosts()
    live = group[0].run(f"readlink {ROOT}/current", hide=True).stdout.strip().rpartition("/")[2]
    there = group[0].run(f"ls {ROOT}/releases", hide=True).stdout.split()
    switch(group, there[there.index(live) - 1])
    group.run("sudo apachectl graceful")


def static() -> None:
    release = datetime.now(UTC).strftime("%Y%m%d%H%M%S")
    where = f"{ROOT}/releases/{release}"
    site = f"{WORK}/pages/site"
    subprocess.run(["git", "-C", site, "pull", "-q"], check=True)
    settings = {"SECRET_KEY": "none", "DATABASE_URL": "sqlite://:memory:"}
    settings["DJANGO_SETTINGS_MODULE"] = "config.settings.production"
    collect = [os.environ["SITE_PYTHON"], "manage.py", "collectstatic", "--noinput", "-v0"]
    subprocess.run(collect, check=True, cwd=site, env={**os.environ, **settings})
    packed = f"{WORK}/static.tar.gz"
    subprocess.run(["tar", "-C", f"{site}/staticfiles", "-czf", packed, "."], check=True)
    group = hosts()
    group.run(f"mkdir -p {where}")
    group.put(packed, f"{where}.tar.gz")
    group.run(f"tar -xzf {where}.tar.gz -C {where} && rm {where}.tar.gz")
    switch(group, release)
    group.run(f"cd {ROOT}/releases && ls -1 | head -n -5 | xargs -r rm -rf")


if __name__ == "__main__":
    {"deploy": deploy, "rollback": rollback, "static": static}[sys.argv[1]]()
