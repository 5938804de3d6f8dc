"""The sentence in which a run says where its release is live."""

import pytest

from deploy.choice import Goal
from deploy.findings import Findings
from deploy.host import Host
from deploy.journal import Run
from deploy.plan import Part, Plan
from deploy.release import Release
from deploy.report import Note
from deploy.report.words import closing_words
from deploy.steps.activate import activate


@pytest.mark.parametrize(("names", "count"), [(("web1",), "1 host"), (("web1", "web2"), "2 hosts")])
def test_the_last_words_count_hosts_as_people_do(names: tuple[str, ...], count: str) -> None:
    hosts = tuple(Host(name, roles=("web",)) for name in names)
    plan = Plan(Run("r1", "deploy", "ann@desk"), (Part(activate, ()),))
    goal, found = Goal(Release("000002-bbbbbbb"), None), dict.fromkeys(names, Findings())
    *_, last = closing_words(plan, goal, hosts, found, 6.04)
    assert last == Note(f"deploy: 000002-bbbbbbb is live on {count}, after 6.0 s")
