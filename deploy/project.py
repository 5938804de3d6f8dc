"""The Django site that is deployed: its settings, their defaults and their meaning."""

from dataclasses import dataclass, field

from deploy import rules
from deploy.checks.catalogue import known_names, reasons, severities
from deploy.rules import each, one_of, or_empty, within
from deploy.settings import key


@dataclass(frozen=True)
class Web:
    """How Apache and mod_wsgi serve the site: `[tool.deploy.web]`."""

    server_name: str = key(
        "The name visitors use; the vhost's ServerName. Empty: then remove Debian's default site.",
        "",
        or_empty(rules.server_name),
    )
    aliases: tuple[str, ...] = key(
        "Further names of the site; the vhost's ServerAlias.", (), each(rules.server_alias)
    )
    port: int = key("The port of the public vhost.", 80, rules.port)
    private_ports: tuple[int, ...] = key(
        "Two loopback ports, one for each warm slot; other sites on the host need others.",
        (8101, 8102),
        rules.two_ports,
    )
    processes: int = key("mod_wsgi daemon processes in each slot.", 2, within(1, 256))
    threads: int = key("Threads in each process.", 5, within(1, 1000))
    user: str = key(
        "The user the site's processes run as; not the one who deploys.", "www-data", rules.account
    )
    group: str = key(
        "The group that may read shared/env and write shared/media.", "www-data", rules.account
    )
    media: str = key(
        "The path under which uploads are served; MEDIA_URL. Empty: not at all.",
        "/media/",
        or_empty(rules.url_folder),
    )
    locale: str = key("LANG and LC_ALL of the site's processes.", "C.UTF-8", rules.locale)
    request_timeout: int = key(
        "Seconds a request may take before its process is given up.", 60, rules.seconds
    )
    start_timeout: int = key("Seconds a release may take to load in its slot.", 60, rules.seconds)
    health: str = key(
        "The path that must answer with 2xx or 3xx before visitors see it.", "/", rules.url_path
    )
    warm: tuple[str, ...] = key(
        "Further paths to ask before the switch, so nobody waits.", (), each(rules.url_path)
    )
    drain: int = key(
        "Seconds a load balancer needs to see /-/ready change; 0: there is none.", 0, within(0, 300)
    )
    error_log: str = key(
        "Apache's error log for the site; empty: NAME-error.log where Apache has its own.",
        "",
        or_empty(rules.on_host),
    )
    access_log: str = key(
        "Its access log; empty: NAME-access.log, there as well.", "", or_empty(rules.on_host)
    )


@dataclass(frozen=True)
class Apache:
    """How Apache runs the site: `[tool.deploy.apache]`."""

    mode: str = key(
        '"daemon": warm slots, no reload. "embedded": in Apache\'s own processes, reloaded.',
        "daemon",
        one_of("daemon", "embedded"),
    )
    layout: str = key(
        'How the distribution lays Apache out: "debian", or "redhat" with /var/log/httpd.',
        "debian",
        one_of("debian", "redhat"),
    )
    certificate: str = key(
        "The file of the certificate and its chain on the hosts: the site is then served on 443.",
        "",
        or_empty(rules.on_host),
    )
    certificate_key: str = key("The file of its key.", "", or_empty(rules.on_host))
    python_home: str = key(
        "Where the processes' Python lives, if not where mod_wsgi says; never in a release.",
        "",
        or_empty(rules.on_host),
    )
    python_path: tuple[str, ...] = key(
        "Further folders of modules for the processes; never in a release.",
        (),
        each(rules.on_host),
    )


@dataclass(frozen=True)
class Static:
    """Where collected static files live: `[tool.deploy.static]`."""

    mode: str = key(
        '"web": on each web host. "server": on hosts of role static. "storage": in S3 or a CDN.',
        "web",
        one_of("web", "server", "storage"),
    )
    url: str = key(
        "The path under which they are served; the path of STATIC_URL.",
        "/static/",
        rules.url_folder,
    )
    root: str = key(
        "STATIC_ROOT, seen from `source`; it lies inside the release.",
        "staticfiles",
        rules.inside_on_host,
    )
    server: str = key(
        '"nginx" or "apache": what serves the files on the hosts of role static.',
        "nginx",
        one_of("nginx", "apache"),
    )
    brotli: bool = key(
        "Put a .br beside each .gz; a static host's nginx then needs its brotli module.", False
    )
    ipv6: bool = key("Whether a static host's nginx listens on IPv6 as well.", True)
    server_name: str = key(
        "ServerName of the static host's vhost; empty: any name.", "", or_empty(rules.server_name)
    )
    port: int = key("The port of the static host's vhost.", 80, rules.port)
    env: tuple[tuple[str, str], ...] = key(
        "Environment of collectstatic on this machine. Placeholders will do: it opens no database.",
        (),
        rules.variables,
    )
    invalidate: tuple[str, ...] = key(
        "A command to run here that tells a CDN which paths changed, one a line; mode storage.", ()
    )


@dataclass(frozen=True)
class Db:
    """What a release does to the database: `[tool.deploy.db]`."""

    migrate: bool = key("Run migrate, once, on the first host of role db, before the switch.", True)
    lock_timeout: int = key(
        "Seconds a migration waits for a table lock (not SQLite).", 5, within(0, 3600)
    )
    destructive: str = key(
        'Migrations that take away: "refuse", "after-switch", or "allow" before the switch.',
        "refuse",
        one_of("refuse", "after-switch", "allow"),
    )
    backup: str = key(
        'Save data "before-migrate" and on the way back; only "before-migrate-back"; or "never".',
        "before-migrate-back",
        one_of("before-migrate", "before-migrate-back", "never"),
    )
    keep_backups: int = key("How many backups of the database stay.", 5, within(1, 1000))
    rollback: str = key(
        'Migrations the old release lacks: "refuse" until told, or "keep-additive" ones.',
        "refuse",
        one_of("refuse", "keep-additive"),
    )


@dataclass(frozen=True)
class Services:
    """What else runs the site's code on hosts of role worker: `[tool.deploy.services]`."""

    units: tuple[str, ...] = key(
        "Units of systemd that are restarted when what is live changes.", (), each(rules.unit)
    )
    command: tuple[str, ...] = key(
        "A command that restarts what has no unit, as the deploy user, in the live release.", ()
    )
    required: bool = key(
        "Take a release back if its services do not come up; else that is a warning.", True
    )


@dataclass(frozen=True)
class Checks:
    """What is asked of the site before a release: `[tool.deploy.checks]`."""

    gate: bool = key("Run the checks in each deploy; one that is an error stops it.", True)
    severity: tuple[tuple[str, str], ...] = key(
        'How grave a check is here, by its name: "error", "warning" or "off".',
        (),
        known_names,
        severities,
    )
    waive: tuple[tuple[str, str], ...] = key(
        "Checks that need not pass here, by name, each with the reason.", (), known_names, reasons
    )


@dataclass(frozen=True)
class Project:
    """The site's settings: `[tool.deploy]`, which a stage may override under `[project]`."""

    name: str = key(
        "Short name of the site: it names processes, vhost and directories.",
        "",
        or_empty(rules.short_name),
    )
    stage: str = key(
        "The stage that is meant when -I is not given.", "", or_empty(rules.stage_name)
    )
    root: str = key(
        "Where the site lives on a host; empty: /srv/www/NAME.", "", or_empty(rules.site_root)
    )
    source: str = key("Where manage.py is, seen from the folder of the fabfile.", ".", rules.inside)
    settings: str = key(
        "The settings module of this stage, such as config.settings.production.",
        "",
        or_empty(rules.dotted),
    )
    wsgi: str = key(
        "MODULE:CALLABLE that Apache serves; empty: the settings' package, .wsgi:application.",
        "",
        or_empty(rules.wsgi_name),
    )
    requirements: str = key(
        "The requirements file, seen from `source`; best a locked one.",
        "requirements.txt",
        rules.inside,
    )
    python: str = key(
        "The Python on the hosts that venvs are made of; mod_wsgi's own.", "python3", rules.program
    )
    install: str = key(
        '"wheels": built here and sent, hosts need no internet. "pip": each host downloads.',
        "wheels",
        one_of("wheels", "pip"),
    )
    keep: int = key("How many releases stay on a host.", 5, within(1, 1000))
    shared: tuple[str, ...] = key(
        "Paths of the release that lead into shared/.", ("media",), each(rules.inside_on_host)
    )
    web: Web = field(default_factory=Web)
    apache: Apache = field(default_factory=Apache)
    static: Static = field(default_factory=Static)
    db: Db = field(default_factory=Db)
    services: Services = field(default_factory=Services)
    checks: Checks = field(default_factory=Checks)

    @property
    def embedded(self) -> bool:
        """Whether visitors are served by Apache's own processes, not by those of the slots."""
        return self.apache.mode == "embedded"

    @property
    def tls(self) -> bool:
        """Whether Apache itself serves HTTPS, and sends visitors of HTTP there."""
        return bool(self.apache.certificate)

    @property
    def slot_processes(self) -> int:
        """How many processes a slot has: one will do to ask a release that is served elsewhere."""
        return 1 if self.embedded else self.web.processes
