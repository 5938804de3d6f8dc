"""The secret environment: what is read of it here, before anything is sent."""

from pathlib import Path

import pytest

from deploy.environment import read
from deploy.errors import Refused


def test_a_file_that_others_may_read_is_refused_with_the_command_that_mends_it(
    tmp_path: Path,
) -> None:
    secret = tmp_path / "env"
    secret.write_text("SECRET_KEY=hunter2\n")
    secret.chmod(0o644)
    with pytest.raises(Refused, match="can be read by others") as refused:
        read(str(secret), "")
    assert refused.value.hint == f"chmod 600 {secret}"
    assert "hunter2" not in refused.value.what
    secret.chmod(0o600)
    assert read(str(secret), "") == "SECRET_KEY=hunter2\n"


def test_a_file_that_is_not_there_is_refused() -> None:
    with pytest.raises(Refused, match="no file"):
        read("/nowhere/env", "")


def test_a_dash_means_standard_input() -> None:
    assert read("-", "A=1\n") == "A=1\n"


def test_a_file_that_is_not_text_is_refused_without_a_word_of_it(tmp_path: Path) -> None:
    secret = tmp_path / "env"
    secret.write_bytes(b"PASSWORD=\xfcber\n")
    secret.chmod(0o600)
    with pytest.raises(Refused, match="UTF-8") as refused:
        read(str(secret), "")
    assert "ber" not in refused.value.what.removeprefix(str(secret))
