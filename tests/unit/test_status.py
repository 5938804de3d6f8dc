"""What people read of a host, and what scripts read."""

import pytest

from deploy.host import Host
from deploy.look import understand
from deploy.status import COLUMNS, host_facts, host_row

A = "000001-aaaaaaa"
RUN = "20260102-030405-1a2b3c deploy by ann.of.the.night.watch@a-machine-with-a-name, process 4711"


@pytest.mark.parametrize(("state", "told"), [("alive", "alive"), ("gone", "its run is gone")])
def test_a_lock_is_told_whole_since_its_end_says_whether_to_wait_or_to_recover(
    state: str, told: str
) -> None:
    found = understand("web1", ["root ok", f"lock {state} {RUN}"])
    facts = host_facts(Host("web1", roles=("web",)), found)
    assert host_row(facts)[COLUMNS.index("lock")] == facts["lock"] == f"{RUN} ({told})"


def test_people_read_as_much_of_a_commit_as_its_release_has_and_scripts_the_whole() -> None:
    release = f'release {A} {{"id": "{A}", "revision": "{"a" * 40}"}}'
    found = understand("web1", ["root ok", f"current {A}", release])
    facts = host_facts(Host("web1", roles=("web",)), found)
    assert facts["revision"] == "a" * 40
    assert host_row(facts)[COLUMNS.index("revision")] == "a" * 7
    bare = host_facts(Host("web2", roles=("web",)), understand("web2", ["root ok"]))
    assert host_row(bare)[2] == "-"
