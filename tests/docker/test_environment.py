"""The secret environment on real hosts: put there, compared, and its SECRET_KEY exchanged."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.checkout import Checkout
from tests.docker.hosts import ROOT, WEB, Hosts
from tests.docker.traffic import Traffic

pytestmark = pytest.mark.docker

CODE = (*WEB, "db1")
ENV = f"{ROOT}/shared/env"
CANARY = "canary-Zq4-not-to-be-seen"
SIGN = "from django.core import signing; print('signed=' + signing.dumps('visitor'))"
LOADS = """
from django.core import signing
try:
    print('is', signing.loads('{}'))
except signing.BadSignature:
    print('is nobody')
"""


@pytest.fixture(scope="module", autouse=True)
def _as_before(hosts: Hosts, base: Checkout) -> Iterator[None]:
    """Whatever happens here, the hosts have their own environment afterwards."""
    assert base
    hosts.each(f"cp -p {ENV} /root/env.saved", CODE)
    yield
    hosts.each(f"cp -p /root/env.saved {ENV} && rm /root/env.saved", CODE)
    base.fab("apache.reload")


def keys(hosts: Hosts) -> dict[str, str]:
    """The lines about keys on each host."""
    return hosts.each(f"grep '^SECRET_KEY' {ENV}", CODE)


def test_lines_are_merged_on_every_host_and_no_value_is_said(
    hosts: Hosts, live: dict[str, str], base: Checkout, tmp_path: Path
) -> None:
    assert live
    before = hosts.on("web1", f"cat {ENV}")
    file = tmp_path / "more"
    file.write_text(f"EXTRA={CANARY}\n")
    file.chmod(0o644)
    assert "chmod 600" in base.fab("env.push", "--merge", "--file", str(file), code=2).text
    file.chmod(0o600)
    told = base.fab("env.push", "--merge", "--file", str(file))
    assert "EXTRA" in told.text
    assert CANARY not in told.text + told.log
    for name, text in hosts.each(f"stat -c '%a %U:%G' {ENV}; cat {ENV}", CODE).items():
        assert text.startswith("640 deploy:www-data\n"), name
        assert set(before.splitlines()) | {f"EXTRA={CANARY}"} <= set(text.splitlines())
    shown = base.fab("env.show")
    assert "EXTRA" in shown.text
    assert "differs" not in shown.text
    assert CANARY not in shown.text
    assert "the same on all hosts" in base.fab("env.check").text
    # The same file serves management commands.
    code = "import os; print(len(os.environ['EXTRA']))"
    assert str(len(CANARY)) in base.fab("manage", "--", "shell", "-v0", "-c", code).out


def test_what_is_missing_or_differs_is_named_with_its_host(
    hosts: Hosts, live: dict[str, str], base: Checkout
) -> None:
    assert live
    hosts.on("web2", f"sed -i '/^DATABASE_URL/d; s/^EXTRA=.*/EXTRA=other/' {ENV}")
    try:
        told = base.fab("env.check", code=2)
    finally:
        hosts.on("web2", f"cp -p /root/env.saved {ENV}")
    assert "DATABASE_URL: not on web2" in told.text
    assert "EXTRA: differs" in told.text
    assert "web2: config.settings.production" in told.text
    assert len([line for line in told.text.splitlines() if line.startswith("web2: ")]) <= 1


def test_an_environment_that_others_may_read_is_refused_before_anything_changes(
    hosts: Hosts, live: dict[str, str], base: Checkout
) -> None:
    hosts.on("web1", f"chmod 644 {ENV}")
    try:
        told = base.fab("env.check", code=2)
        assert f"chmod 640 {ENV}" in told.text
        told = base.fab("deploy", code=2)
        assert f"chmod 640 {ENV}" in told.text
    finally:
        hosts.on("web1", f"chmod 640 {ENV}")
    assert hosts.served() == live


def test_a_key_is_exchanged_on_a_part_of_the_hosts_by_nobody(
    hosts: Hosts, live: dict[str, str], base: Checkout
) -> None:
    assert live
    before = keys(hosts)
    told = base.fab("-H", "web1", "env.rotate", code=2)
    assert "would be left with another SECRET_KEY" in told.text
    assert keys(hosts) == before


def test_a_new_key_comes_to_all_hosts_without_a_failed_request_or_a_lost_session(
    hosts: Hosts, live: dict[str, str], base: Checkout
) -> None:
    before = keys(hosts)["web1"]
    signed = manage(base, SIGN).rpartition("signed=")[2].strip()
    with Traffic(hosts) as traffic:
        told = base.fab("env.rotate")
    assert traffic.failures == []
    assert hosts.served() == live
    after = keys(hosts)
    assert len(set(after.values())) == 1, "hosts have different keys"
    new, old = after["web1"].splitlines()
    key = new.partition("=")[2].strip("'")
    assert old == f"SECRET_KEY_FALLBACKS='{before.strip().partition('=')[2].strip(chr(39))}'"
    assert key not in told.text + told.log
    assert "is visitor" in manage(base, LOADS.format(signed))
    assert "env.rotate" in base.fab("log").text

    base.fab("env.rotate", "--forget")
    assert set(keys(hosts).values()) == {f"{new}\n"}
    assert "is nobody" in manage(base, LOADS.format(signed))
    assert hosts.served() == live


def test_nothing_is_forgotten_while_hosts_sign_with_different_keys(
    hosts: Hosts, live: dict[str, str], base: Checkout
) -> None:
    assert live
    hosts.on("web2", f"cp -p {ENV} /root/env.now")
    hosts.on("web2", f"sed -i 's/^SECRET_KEY=.*/SECRET_KEY=another-one-for-now/' {ENV}")
    try:
        told = base.fab("env.rotate", "--forget", code=2)
        assert "SECRET_KEY=another-one-for-now" in keys(hosts)["web2"]
    finally:
        hosts.on("web2", f"mv -f /root/env.now {ENV}")
    assert "SECRET_KEY is not the same on" in told.text
    assert "another-one" not in told.text


@pytest.mark.parametrize("step", ["env.announce", "env.use", "web.change-slot"])
def test_a_rotation_that_is_killed_logs_nobody_out_and_can_be_done_anew(
    hosts: Hosts, live: dict[str, str], base: Checkout, step: str
) -> None:
    signed = manage(base, SIGN).rpartition("signed=")[2].strip()
    with Traffic(hosts) as traffic:
        run = base.start("env.rotate")
        run.says(f"-> {step}")
        run.signal(signal.SIGKILL)
        run.process.wait()
        base.fab("recover")
        hosts.at_rest()
        for name in CODE:
            assert "is visitor" in manage(base, LOADS.format(signed), name), name
        base.fab("env.rotate")
    assert traffic.failures == []
    assert hosts.served() == live
    assert len({said.splitlines()[0] for said in keys(hosts).values()}) == 1
    for name in CODE:
        assert "is visitor" in manage(base, LOADS.format(signed), name), name
    base.fab("env.rotate", "--forget")
    assert len(set(keys(hosts).values())) == 1


def test_settings_that_do_not_read_fallbacks_are_told_what_to_write(
    hosts: Hosts, live: dict[str, str], checkout: Checkout
) -> None:
    assert live
    line = 'SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])'
    checkout.edit("config/settings/production.py", line, "")
    checkout.commit("No fallbacks")
    checkout.fab("deploy")
    before = keys(hosts)
    told = checkout.fab("env.rotate", code=5)
    assert "SECRET_KEY_FALLBACKS = [" in told.text
    assert keys(hosts) == before
    checkout.fab("rollback")


def manage(base: Checkout, code: str, host: str = "db1") -> str:
    """What a line of Python says in the site."""
    return base.fab("-H", host, "manage", "--", "shell", "-v0", "-c", code).out
