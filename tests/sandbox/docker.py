"""Calls the docker program, and turns its failures into errors people can read."""

import subprocess

from deploy.errors import PrepareFailed

PATIENCE = 120.0
"""Seconds that one call of docker may take."""


def try_docker(*words: str, stdin: bytes = b"", limit: float = PATIENCE) -> tuple[bool, str]:
    """Whether docker did what `words` say within `limit` seconds, and all that it said."""
    try:
        done = subprocess.run(
            ["docker", *words],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=limit,
            check=False,
        )
    except FileNotFoundError:
        return False, "the program docker is not installed"
    except subprocess.TimeoutExpired as late:
        said = (late.stdout or b"").decode(errors="replace")
        return False, f"{said}\nno answer within {limit:.0f} s"
    return done.returncode == 0, done.stdout.decode(errors="replace")


def docker(*words: str, stdin: bytes = b"", limit: float = PATIENCE) -> str:
    """What docker said; raises PrepareFailed with its last lines."""
    done, said = try_docker(*words, stdin=stdin, limit=limit)
    if not done:
        raise PrepareFailed(f"docker {words[0]} failed: {last_lines(said)}")
    return said


def last_lines(text: str, count: int = 12) -> str:
    """The end of what a program said, without empty lines."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    return "\n  ".join(lines[-count:])
