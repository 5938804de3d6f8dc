"""The Django site that is deployed: its settings, their defaults and their meaning."""

from dataclasses import dataclass, field

from deploy.settings import key


@dataclass(frozen=True)
class Web:
    """How Apache and mod_wsgi serve the site: `[tool.deploy.web]`."""

    server_name: str = key("The name visitors use; the vhost's ServerName.", "")
    aliases: tuple[str, ...] = key("Further names of the site; the vhost's ServerAlias.", ())
    port: int = key("The port of the public vhost.", 80)
    private_ports: tuple[int, ...] = key(
        "Two loopback ports, one for each warm slot; other sites on the host need others.",
        (8101, 8102),
    )
    processes: int = key("mod_wsgi daemon processes in each slot.", 2)
    threads: int = key("Threads in each process.", 5)
    user: str = key("The user the site's processes run as; not the one who deploys.", "www-data")
    group: str = key("The group that may read shared/env and write shared/media.", "www-data")
    locale: str = key("LANG and LC_ALL of the site's processes.", "C.UTF-8")
    request_timeout: int = key("Seconds a request may take before its process is given up.", 60)
    start_timeout: int = key("Seconds a release may take to load in its slot.", 60)
    health: str = key("The path that must answer with 2xx or 3xx before visitors see it.", "/")
    warm: tuple[str, ...] = key("Further paths to ask before the switch, so nobody waits.", ())
    error_log: str = key(
        "Apache's error log for the site; empty: /var/log/apache2/NAME-error.log.", ""
    )
    access_log: str = key("Its access log; empty: /var/log/apache2/NAME-access.log.", "")


@dataclass(frozen=True)
class Static:
    """Where collected static files live: `[tool.deploy.static]`."""

    mode: str = key(
        '"web": on each web host, inside the release. "server": on the hosts of role static.',
        "web",
    )
    url: str = key("The path under which they are served; the path of STATIC_URL.", "/static/")
    server_name: str = key("ServerName of the static host's vhost; empty: any name.", "")
    port: int = key("The port of the static host's vhost.", 80)
    env: tuple[tuple[str, str], ...] = key(
        "Environment of collectstatic on this machine. Placeholders will do: it opens no database.",
        (),
    )


@dataclass(frozen=True)
class Db:
    """What a release does to the database: `[tool.deploy.db]`."""

    migrate: bool = key("Run migrate, once, on the first host of role db, before the switch.", True)
    lock_timeout: int = key("Seconds a migration waits for a table lock (PostgreSQL).", 5)


@dataclass(frozen=True)
class Project:
    """The site's settings: `[tool.deploy]`, which a stage may override under `[project]`."""

    name: str = key("Short name of the site: it names processes, vhost and directories.", "")
    stage: str = key("The stage that is meant when -I is not given.", "")
    root: str = key("Where the site lives on a host; empty: /srv/www/NAME.", "")
    source: str = key("Where manage.py is, seen from the top of the repository.", ".")
    settings: str = key(
        "The settings module of this stage, such as config.settings.production.", ""
    )
    wsgi: str = key(
        "MODULE:CALLABLE that Apache serves; empty: the settings' package, .wsgi:application.", ""
    )
    requirements: str = key(
        "The requirements file, seen from `source`; best a locked one.", "requirements.txt"
    )
    python: str = key("The Python on the hosts that venvs are made of; mod_wsgi's own.", "python3")
    install: str = key(
        '"wheels": built here and sent, hosts need no internet. "pip": each host downloads.',
        "wheels",
    )
    keep: int = key("How many releases stay on a host.", 5)
    shared: tuple[str, ...] = key("Paths of the release that lead into shared/.", ("media",))
    web: Web = field(default_factory=Web)
    static: Static = field(default_factory=Static)
    db: Db = field(default_factory=Db)
