"""The one key that an inventory names."""

from pathlib import Path

from paramiko import Agent, AgentKey, PasswordRequiredException, PKey

from deploy.errors import Refused


def load_identity(host: str, path: Path) -> PKey | AgentKey:
    """The private key in a file; if it has a passphrase, the agent's copy of it.

    Raises `Refused`. `host` is for messages.
    """
    try:
        return PKey.from_path(path)
    except (PasswordRequiredException, TypeError):
        return _from_agent(host, path)
    except FileNotFoundError:
        raise Refused(f"{host}: the key file {path} does not exist") from None
    except Exception as error:
        # Paramiko and what is under it have an exception for each way a file can be malformed.
        raise Refused(f"{host}: the key file {path} cannot be read: {error}") from None


def _from_agent(host: str, path: Path) -> AgentKey:
    hint = f"ssh-add {path}"
    try:
        blob = path.with_name(path.name + ".pub").read_text().split()[1]
    except (OSError, IndexError):
        raise Refused(
            f"{host}: the key {path} has a passphrase, and there is no {path}.pub by which "
            "to find it in the agent",
            hint,
        ) from None
    for key in Agent().get_keys():
        if key.get_base64() == blob:
            return key
    raise Refused(f"{host}: the key {path} has a passphrase and the agent does not hold it", hint)
