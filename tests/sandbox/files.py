"""The texts that a fleet keeps on disk or puts on its hosts."""

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from tests.sandbox.members import Fleet, Member

KEY = "id_ed25519"
KNOWN_HOSTS = "known_hosts"
FLEET = "fleet.toml"
SECRETS = "secrets.json"
LOCK = "lock"
PECULIAR = "/+&@%"
"""What URLs have another way to write for, so that secrets there are not what they are here."""
ALL = (KEY, f"{KEY}.pub", KNOWN_HOSTS, FLEET, SECRETS, LOCK)
"""Every file that a fleet makes in its state directory."""

DATABASE = r"""
SELECT format('CREATE ROLE %I LOGIN', :'name')
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name') \gexec
ALTER ROLE :"name" PASSWORD :'password';
SELECT format('CREATE DATABASE %I OWNER %I', :'name', :'name')
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
"""


@dataclass(frozen=True)
class Secrets:
    """What only the hosts and the state directory know."""

    django: str = field(repr=False)
    database: str = field(repr=False)
    mail: str = field(repr=False)
    bucket: str = field(repr=False)


def keep_secrets(state: Path) -> Secrets:
    """The fleet's secrets, made at random the first time and kept in `state`."""
    path = state / SECRETS
    known = json.loads(path.read_text()) if path.exists() else {}
    new = {
        "django": secrets.token_urlsafe(50),
        "database": secrets.token_hex(24) + PECULIAR,
        "mail": secrets.token_urlsafe(24) + PECULIAR,
        "bucket": secrets.token_urlsafe(30),
    }
    if known.keys() < new.keys():
        path.touch(mode=0o600)
        path.write_text(json.dumps(new | known))
    return Secrets(**(new | known))


def keep(path: Path, text: str) -> None:
    """Makes `text` the whole file, in one instant: a deploy may be reading it just now."""
    half = path.with_suffix(".new")
    half.write_text(text)
    half.replace(path)


def fleet_toml(members: tuple[Member, ...]) -> str:
    """The part of an inventory that changes with every fleet; its paths are beside it."""
    lines = [
        "# Made by ./fab sandbox.up and removed by ./fab sandbox.down.",
        "[ssh]",
        'user = "deploy"',
        f'identity = "{KEY}"',
        f'known_hosts = "{KNOWN_HOSTS}"',
    ]
    for member in members:
        lines += ["", f"[hosts.{member.name}]", 'address = "127.0.0.1"']
        lines += [f"port = {member.ssh_port}"]
        lines += [f'url = "{member.url}"'] if member.url else []
    return "\n".join(lines) + "\n"


def known_hosts(keys: dict[int, str]) -> str:
    """The trusted keys by SSH port, as OpenSSH writes them."""
    lines = [f"[127.0.0.1]:{port} {' '.join(key.split()[:2])}" for port, key in keys.items()]
    return "".join(f"{line}\n" for line in sorted(lines))


def env_file(fleet: Fleet, site: str, secret: Secrets) -> str:
    """What the site reads at run time: shared/env of the web and db hosts."""
    web = [member for member in fleet.members if "web" in member.roles]
    static = [member.url for member in fleet.members if "static" in member.roles]
    database = [member.name for member in fleet.members if "db" in member.roles]
    pairs = {
        "SECRET_KEY": secret.django,
        "ALLOWED_HOSTS": ",".join(["127.0.0.1", "localhost", *(member.name for member in web)]),
        "CSRF_TRUSTED_ORIGINS": ",".join(member.url for member in web),
        "SECURE_COOKIES": "false",
        "ADMINS": "admin@example.com",
        "SERVER_EMAIL": "guestbook@example.com",
        "STATIC_URL": f"{static[0]}/static/" if static else "/static/",
        "EMAIL_HOST_PASSWORD": secret.mail,
        "AWS_SECRET_ACCESS_KEY": secret.bucket,
    }
    if database:
        place = f"{database[0]}:5432/{site}"
        pairs["DATABASE_URL"] = f"postgres://{site}:{quote(secret.database, safe='')}@{place}"
    return "".join(f"{name}={value}\n" for name, value in pairs.items())


def database_sql(site: str, secret: Secrets) -> str:
    """Makes the site's database and user, or gives the user its password again."""
    return f"\\set name '{site}'\n\\set password '{secret.database}'\n" + DATABASE
