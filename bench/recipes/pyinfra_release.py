"""pyinfra_release.py: deploy, rollback or static, as the environment variable WHAT says."""

import os

from pyinfra import host
from pyinfra.facts.server import Command
from pyinfra.operations import files, server

ROOT, SHARED, WORK = (os.environ[name] for name in ("ROOT", "SHARED", "WORK"))
RELEASE, PACKAGES = os.environ["RELEASE"], os.environ["PACKAGES"]
WHERE, VENV = f"{ROOT}/releases/{RELEASE}", f"{ROOT}/venvs/{PACKAGES}"
MANAGE = (
    f"env $(cat {SHARED}/env) DJANGO_SETTINGS_MODULE=config.settings.production venv/bin/python"
)
FIRST = host.name == os.environ["HOSTS"].split()[0]


def switch(release: str) -> None:
    line = f"ln -sfn releases/{release} {ROOT}/next && mv -T {ROOT}/next {ROOT}/current"
    server.shell(name="Switch", commands=[line])


def reload() -> None:
    server.shell(name="Reload Apache", commands=["sudo apachectl graceful"])


def prune() -> None:
    line = f"cd {ROOT}/releases && ls -1 | head -n -5 | xargs -r rm -rf"
    server.shell(name="Remove old releases", commands=[line])


def send(source: str) -> None:
    files.directory(name="Make the release", path=f"{ROOT}/releases")
    flags = ["-a", f"--link-dest={ROOT}/current/"]
    files.rsync(name="Send it", src=source, dest=WHERE, flags=flags)


def deploy() -> None:
    send(f"{WORK}/clone/site/")
    if not host.get_fact(Command, f"test -e {VENV}/done && echo yes || true"):
        wheels = f"{os.environ['WHEELHOUSE']}/"
        files.rsync(name="Send wheels", src=wheels, dest=f"{ROOT}/wheels/", flags=["-a"])
        pip = f"{VENV}/bin/pip install -q --no-index --find-links {ROOT}/wheels"
        server.shell(
            name="Make the virtualenv",
            commands=[
                f"python3 -m venv {VENV}",
                f"{pip} -r {WHERE}/requirements.txt",
                f"touch {VENV}/done",
            ],
        )
    files.link(name="Link the virtualenv", path=f"{WHERE}/venv", target=VENV)
    line = f"cd {WHERE} && {MANAGE} manage.py"
    server.shell(name="Collect", commands=[f"{line} collectstatic --noinput -v0"])
    if FIRST:
        server.shell(name="Migrate", commands=[f"{line} migrate --noinput -v0"])
    switch(RELEASE)
    reload()
    prune()


def rollback() -> None:
    script = (
        f"cd {ROOT}; live=$(basename $(readlink current)); "
        "ls -1 releases | grep -B1 -x $live | head -1"
    )
    switch(host.get_fact(Command, script))
    reload()


def static() -> None:
    send(f"{WORK}/pages/site/staticfiles/")
    switch(RELEASE)
    prune()


{"deploy": deploy, "rollback": rollback, "static": static}[os.environ["WHAT"]]()
