"""MariaDB on a host of a fleet, for the tests that ask for it: the image itself stays small."""

from tests.sandbox.docker import last_lines, try_docker

INSTALL = (
    "command -v mariadbd >/dev/null || { apt-get update -q && DEBIAN_FRONTEND=noninteractive"
    " apt-get install -qy --no-install-recommends mariadb-server; }"
)
START = "mariadb-admin ping >/dev/null 2>&1 || service mariadb start"
CREATE = """
CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS '{name}'@'127.0.0.1' IDENTIFIED BY '{password}';
GRANT ALL ON {name}.* TO '{name}'@'127.0.0.1';
"""
LIMIT = 300.0


def serve(container: str, name: str, password: str) -> None:
    """See that the container has MariaDB with a database `name`, and a user of that name.

    The server listens on 127.0.0.1:3306. AssertionError with what the container said last.
    """
    for line in (INSTALL, START):
        done, said = try_docker("exec", container, "sh", "-c", line, limit=LIMIT)
        assert done, f"MariaDB on {container}: {last_lines(said)}"
    text = CREATE.format(name=name, password=password).encode()
    done, said = try_docker("exec", "--interactive", container, "mariadb", stdin=text)
    assert done, f"MariaDB on {container}: {last_lines(said)}"
