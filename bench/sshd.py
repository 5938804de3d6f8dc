"""A second sshd in a container, which writes down every command that it is asked for."""

from tests.sandbox.docker import docker

PORT = 2222
LOG = "/var/log/bench-sshd.log"
PID = "/run/bench-sshd.pid"
START = f"""
    if ! kill -0 "$(cat {PID} 2>/dev/null)" 2>/dev/null; then
      /usr/sbin/sshd -p {PORT} -o LogLevel=VERBOSE -o PidFile={PID} -E {LOG}
    fi"""
COUNT = f"grep -c 'Starting session: ' {LOG} || true"


def start(container: str) -> tuple[str, int]:
    """Start it unless it runs; its address and port, which this machine alone can reach."""
    docker("exec", container, "sh", "-c", START)
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return docker("inspect", "--format", form, container).strip(), PORT


def clear(container: str) -> None:
    """Forget what it was asked for."""
    docker("exec", container, "sh", "-c", f": >{LOG}")


def commands(container: str) -> int:
    """How many commands, subsystems included, it was asked for since `clear`."""
    return int(docker("exec", container, "sh", "-c", COUNT))
