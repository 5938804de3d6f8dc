"""The exact plan of a deploy and of a rollback, as two texts that a reviewer can read."""

import hashlib
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import deploy
from deploy.command import Action, Command, Upload
from deploy.errors import Refused
from deploy.findings import Findings, Tree
from deploy.flow import DEPLOY, DEPLOY_STATIC, ROLLBACK, Flow
from deploy.host import Host
from deploy.journal import Run
from deploy.plan import Part, Work, make_plan
from deploy.project import Apache, Project, Services, Static, Web
from deploy.release import Release, WayBack
from deploy.source import Source
from deploy.steps import HERE, Phase, Target, step
from deploy.steps.activate import activate
from deploy.steps.build import wheels
from deploy.steps.code import install, push
from deploy.steps.db import migrate, migrate_back
from deploy.steps.finish import prune
from deploy.steps.server import apache
from deploy.steps.services import allowed, restarted
from deploy.steps.slots import pages
from deploy.steps.static import sync
from deploy.webserver import apache_site
from deploy.workshop import Workshop, builds_alike, entry_digest, venv_key

OLD, NEW = "000007-aaaaaaa", "000008-bbbbbbb"
PROJECT = Project(
    name="shop",
    root="/srv/www/shop",
    settings="config.settings.production",
    wsgi="config.wsgi:application",
    web=Web(server_name="shop.example.com", warm=("/about/",)),
    static=Static(mode="server", env=(("SECRET_KEY", "placeholder"),)),
)
HOSTS = (
    Host("web1", "web1.example.com", ("web",), project=PROJECT),
    Host("web2", "web2.example.com", ("web",), project=PROJECT),
    Host("static1", "static1.example.com", ("static",), project=PROJECT),
    Host("db1", "db1.example.com", ("db",), project=PROJECT),
)
SOURCE = Source(Path("/repository"), "", "b" * 40, "c" * 40, "req", "mig", "Add a page")
GOLDEN = Path(__file__).parent / "golden"


def tree(*names: str) -> Tree:
    return Tree(
        current=names[-1],
        complete={name: Release(name, "a" * 40, "v", "mig") for name in names},
        history=names,
    )


def found(host: Host) -> Findings:
    said = Findings(python="3.11.2", platform="linux-x86_64", libc="glibc-2.36", root="ok")
    if "static" in host.roles:
        return replace(said, static=tree(OLD))
    return replace(said, web=tree("000006-fffffff", OLD), live_slot="green")


def targets(
    release: Release,
    source: Source | None,
    hosts: tuple[Host, ...],
    project: Project = PROJECT,
) -> list[Target]:
    here = Host(HERE, "", (HERE,), project=project)
    hosts = tuple(replace(host, project=project) for host in hosts)
    fleet = tuple((host, found(host)) for host in hosts)
    roles = {role for host in hosts for role in host.roles}
    return [
        Target(
            host=host,
            found=said,
            run=Run("20260101-120000-abc123", "deploy", "ann@desk"),
            workshop=Workshop(Path("/cache")),
            web=release if roles & {"web", "db"} else None,
            static=release if "static" in roles else None,
            source=source,
            fleet=fleet,
            stage="production",
        )
        for host, said in ((here, Findings()), *fleet)
    ]


def lines(
    flow: Flow,
    source: Source | None,
    hosts: tuple[Host, ...] = HOSTS,
    project: Project = PROJECT,
) -> str:
    made = targets(Release(NEW, "b" * 40, "v", "mig"), source, hosts, project)
    text = "\n".join(make_plan(flow, made[0].run, made).lines())
    return (
        text.replace(sys.executable, "PYTHON").replace(str(Path(deploy.__file__).parent), "DEPLOY")
        + "\n"
    )


def agrees(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("WRITE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text(), "WRITE_GOLDEN=1 writes the plan anew; read the difference"


def test_the_plan_of_a_deploy_is_known_word_for_word() -> None:
    agrees("deploy.txt", lines(DEPLOY, SOURCE))


def test_the_plan_of_a_rollback_is_known_word_for_word() -> None:
    agrees("rollback.txt", lines(ROLLBACK, None))


def test_the_plan_of_a_rollback_that_migrates_back_is_known_word_for_word() -> None:
    back = WayBack(OLD, ("shop.0003_more", "shop.0002_more"))
    made = targets(Release("000006-fffffff", "b" * 40, "v", "mig"), None, HOSTS)
    made = [replace(one, back=back) for one in made]
    plan = make_plan(ROLLBACK, made[0].run, made)
    undone = [
        f"undo {part.step.name}: {work.host.name}$ {action.shown()}"
        for part in plan.parts
        for work in part.work
        for action in work.undo
        if part.step is migrate_back
    ]
    agrees("rollback-migrate-back.txt", "\n".join([*plan.lines(), *undone, ""]))


def test_a_host_with_nothing_to_do_in_a_run_does_not_decide_it_for_then_nobody_would() -> None:
    hosts = (Host("a-static1", roles=("static",), project=PROJECT), *HOSTS[:2])
    made = targets(Release(NEW, "b" * 40, "v", "mig"), None, hosts)
    made = [replace(one, static=None) for one in made]  # a rollback that needs no other files
    plan = make_plan(ROLLBACK, made[0].run, made)
    (decides,) = (part for part in plan.parts if part.step.decides)
    assert [work.host.name for work in decides.work] == ["web1"]
    begun = next(line for line in plan.lines() if "record" in line)
    assert "web1 web1,web2" in begun


def saving(when: str, flow: Flow, back: WayBack | None = None) -> list[str]:
    """What is run to save the data, with that value of db.backup."""
    project = replace(PROJECT, db=replace(PROJECT.db, backup=when))
    source = None if flow is ROLLBACK else SOURCE
    made = targets(Release(NEW, "b" * 40, "v", "mig"), source, HOSTS, project)
    made = [replace(one, back=back) for one in made]
    text = make_plan(flow, made[0].run, made).lines()
    return [line for line in text if "backup.py" in line]


def test_data_is_saved_before_a_schema_changes_and_only_where_that_is_asked_for() -> None:
    back = WayBack(OLD, ("shop.0003_more",))
    [line] = saving("before-migrate", DEPLOY)
    assert "  db1$" in line
    assert f"--of {OLD}" in line
    assert "--if-pending" in line
    for when in ("before-migrate", "before-migrate-back"):
        [line] = saving(when, ROLLBACK, back)
        assert "--if-pending" not in line
    assert not saving("before-migrate", ROLLBACK)
    assert not saving("before-migrate-back", DEPLOY)
    assert not saving("never", DEPLOY)
    assert not saving("never", ROLLBACK, back)


def test_a_static_release_touches_the_static_hosts_alone() -> None:
    agrees("deploy-static.txt", lines(DEPLOY_STATIC, SOURCE, HOSTS[2:3]))


IN_A_BUCKET = replace(
    PROJECT,
    static=Static(
        mode="storage",
        env=(("AWS_SECRET_ACCESS_KEY", "hunter2"),),
        invalidate=("./ops/purge", "--distribution", "E1 2"),
    ),
)


def test_a_deploy_sends_to_a_bucket_and_checks_it_before_anything_is_switched() -> None:
    text = lines(DEPLOY, SOURCE, (HOSTS[0], HOSTS[3]), IN_A_BUCKET)
    agrees("deploy-storage.txt", text)
    assert "hunter2" not in text


def test_static_files_alone_go_to_a_bucket_without_any_host() -> None:
    agrees("deploy-static-storage.txt", lines(DEPLOY_STATIC, SOURCE, (), IN_A_BUCKET))


def test_a_database_alone_names_no_file_in_a_bucket() -> None:
    assert "send.py" not in lines(DEPLOY, SOURCE, HOSTS[3:], IN_A_BUCKET)


def test_a_worker_alone_names_files_in_a_bucket_as_it_writes_mails() -> None:
    worker = replace(HOSTS[3], name="worker1", roles=("worker",))
    assert "send.py send" in lines(DEPLOY, SOURCE, (worker,), IN_A_BUCKET)


def test_files_that_were_collected_otherwise_are_not_taken_for_the_same(tmp_path: Path) -> None:
    shop, elsewhere = Workshop(tmp_path), replace(IN_A_BUCKET.static, root="public")
    made = {
        shop.collected(SOURCE, IN_A_BUCKET),
        shop.collected(SOURCE, replace(IN_A_BUCKET, static=elsewhere)),
        shop.collected(replace(SOURCE, requirements="others"), IN_A_BUCKET),
    }
    assert len(made) == 3


def test_a_service_that_an_older_release_did_not_have_cannot_keep_it_from_going_live() -> None:
    host = replace(
        HOSTS[3],
        roles=("worker",),
        project=replace(PROJECT, services=Services(units=("jobs", "listen"))),
    )
    made = Release(OLD, units=("jobs",))
    strict, warns = "restart_units shop", "or_warn /srv/www/shop restart_units shop"
    shown = [action.shown() for action in restarted(host, OLD, made)]
    assert shown == [f"{strict} jobs", f"{warns} listen"]
    assert [one.shown() for one in restarted(host, OLD)] == [f"{strict} jobs listen"]
    assert [one.shown() for one in restarted(host, OLD, lenient=True)] == [f"{warns} jobs listen"]


def test_whether_a_service_may_be_restarted_is_asked_of_those_that_the_release_has() -> None:
    project = replace(PROJECT, services=Services(units=("jobs", "listen")))
    worker = replace(HOSTS[3], name="worker1", roles=("worker",))
    made = [
        replace(one, web=Release(OLD)) for one in targets(Release(OLD), None, (worker,), project)
    ]
    (command,) = allowed.build(made[1])
    assert isinstance(command, Command)
    assert command.shown() == "may_restart shop jobs listen"
    has = found(HOSTS[0])
    has = replace(has, web=replace(has.web, complete={OLD: Release(OLD, units=("jobs",))}))
    (command,) = allowed.build(replace(made[1], found=has))
    assert isinstance(command, Command)
    assert command.shown() == "may_restart shop jobs"


@pytest.mark.parametrize(
    ("made", "asked"),
    [
        ((), ("/", "/about/")),
        (("/", "/about/", "/sale/"), ("/", "/about/")),
        (("/", "/sale/"), ("/",)),
        (("/old/", "/sale/"), ("/old/",)),
    ],
)
def test_an_older_release_is_asked_for_what_it_knows_and_what_is_wanted_still(
    made: tuple[str, ...], asked: tuple[str, ...]
) -> None:
    assert pages(PROJECT, Release(OLD, pages=made)) == asked


def test_a_bucket_has_nothing_to_go_back_to_and_is_asked_first_whether_all_is_there(
    tmp_path: Path,
) -> None:
    assert "send.py" not in lines(ROLLBACK, None, HOSTS[:1], IN_A_BUCKET)
    assert "this machine did not release it" in lines(ROLLBACK, None, HOSTS[:1], IN_A_BUCKET)
    shop = Workshop(tmp_path)
    for made in (shop.collected(SOURCE, IN_A_BUCKET), shop.venv(SOURCE)):
        made.mkdir(parents=True)
    has = found(HOSTS[0])
    has = replace(has, web=replace(has.web, files={OLD: "same", NEW: "same"}))
    told = targets(Release(NEW, "b" * 40, "v", "mig"), None, HOSTS[:1], IN_A_BUCKET)
    fleet = ((told[1].host, has),)
    told = [replace(one, origin=SOURCE, workshop=shop, fleet=fleet) for one in told]
    text = "\n".join(make_plan(ROLLBACK, told[0].run, told).lines())
    assert f"same={NEW}" in text, "also where the live release names the same files"
    assert text.index("kept.py back config.settings") < text.index("web.warm")


def test_a_release_loads_while_it_is_checked_unless_apache_takes_a_new_vhost_in_between() -> None:
    plan = lines(DEPLOY, SOURCE, HOSTS[:1])
    assert "load_slot" not in plan, "the reload would start these processes once more"
    digest = hashlib.sha256(apache_site(PROJECT).encode()).hexdigest()
    has = replace(found(HOSTS[0]), installed={"apache": digest})
    made = targets(Release(NEW, "b" * 40, "v", "mig"), SOURCE, HOSTS[:1])
    made = [replace(one, found=has, fleet=((HOSTS[0], has),)) for one in made]
    text = "\n".join(make_plan(DEPLOY, made[0].run, made).lines())
    assert text.index("load_slot") < text.index("seal /srv") < text.index("checklist.py")
    assert text.index("checklist.py") < text.index("start_slot")


def test_a_host_that_a_balancer_holds_out_as_its_release_is_bad_comes_back_with_the_next() -> None:
    away = replace(found(HOSTS[0]), draining=True)
    made = targets(Release(NEW, "b" * 40, "v", "mig"), SOURCE, HOSTS[:1])
    target = replace(made[1], found=away)
    words = [[action.shown().split()[0] for action in s.build(target)] for s in (apache, activate)]
    prepared, switched = words
    assert prepared[-1] == "attempt", "that the site does not answer is what the release mends"
    assert switched[-1] == "come_back"
    assert switched.index("switch") < switched.index("come_back")


def test_a_venv_that_a_host_has_is_not_built_again() -> None:
    has = replace(found(HOSTS[0]), venvs=(venv_key(SOURCE, found(HOSTS[0])),))
    made = targets(Release(NEW, "b" * 40, "v", "mig"), SOURCE, HOSTS[:1])
    made = [replace(one, found=has, fleet=((HOSTS[0], has),)) for one in made]
    text = "\n".join(make_plan(DEPLOY, made[0].run, made).lines())
    assert "build_venv" not in text
    assert "fetch_wheels" not in text


def test_where_our_own_python_has_no_pip_one_is_made_that_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "make_builder" not in lines(DEPLOY, SOURCE, HOSTS[:1])
    monkeypatch.setattr("deploy.steps.build.find_spec", lambda _: None)
    plan = lines(DEPLOY, SOURCE, HOSTS[:1])
    assert plan.index("make_builder") < plan.index("/cache/builder/py3")
    assert "bin/python DEPLOY/local/pip_as.py" in plan


def test_packages_of_the_code_are_built_where_pip_only_downloads() -> None:
    source = replace(SOURCE, brought=("ours", "libs/theirs"))
    (here, *_) = targets(Release(NEW, "b" * 40, "v", "mig"), source, HOSTS[:1])
    alike = "{}.{}.1".format(*sys.version_info)
    for python, built in ((alike, "''"), ("3.9.2", "'ours libs/theirs'")):
        said = replace(found(HOSTS[0]), python=python)
        (line,) = (
            action.shown() for action in wheels.build(replace(here, fleet=((HOSTS[0], said),)))
        )
        assert f" requirements.txt {built} " in line


def test_hosts_with_other_c_libraries_share_no_wheels() -> None:
    older = replace(found(HOSTS[1]), libc="glibc-2.31")
    made = targets(Release(NEW, "b" * 40, "v", "mig"), SOURCE, HOSTS[:2])
    fleet = ((HOSTS[0], found(HOSTS[0])), (HOSTS[1], older))
    (here, web1, web2) = (replace(one, fleet=fleet) for one in made)
    web2 = replace(web2, found=older)
    fetched = [action.shown() for action in wheels.build(here)]
    for target, libc in ((web1, "glibc-2.36"), (web2, "glibc-2.31")):
        sent, *_ = install.build(target)
        assert isinstance(sent, Upload)
        assert [libc in line for line in fetched if f" {sent.source} " in line] == [True]


def test_a_host_with_a_c_library_of_another_kind_gets_no_wheels_that_are_built_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("platform.libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setattr("sysconfig.get_platform", lambda: "linux-x86_64")
    said = replace(found(HOSTS[0]), python="{}.{}.1".format(*sys.version_info))
    fits = {
        libc: builds_alike(replace(said, libc=libc)) for libc in ("glibc-2.17", "-", "musl-1.2")
    }
    assert fits == {"glibc-2.17": True, "-": True, "musl-1.2": False}


def test_code_is_told_by_what_differs_from_the_live_one_if_that_is_still_here(
    tmp_path: Path,
) -> None:
    shop = Workshop(tmp_path)
    live = replace(found(HOSTS[0]).web.complete[OLD], tree="t7")
    tree_ = replace(found(HOSTS[0]).web, complete={OLD: live})
    has = replace(found(HOSTS[0]), web=tree_)
    made = targets(Release(NEW, "b" * 40, "v", "mig"), SOURCE, HOSTS[:1])
    made = [replace(one, found=has, workshop=shop, fleet=((HOSTS[0], has),)) for one in made]

    def pushed() -> Upload:
        [part] = [p for p in make_plan(DEPLOY, made[0].run, made).parts if p.step is push]
        [upload] = part.work[0].actions
        assert isinstance(upload, Upload)
        return upload

    assert pushed().base is None
    shop.exported("t7").mkdir(parents=True)
    assert pushed().base == shop.exported("t7")
    assert pushed().like[0].endswith(OLD)


def test_programs_that_a_host_has_are_not_sent_again() -> None:
    before = lines(DEPLOY, SOURCE, HOSTS[:1])
    site = re.search(r"site\.json '(.*)'$", before, re.MULTILINE)
    assert site
    made = targets(Release(NEW, "b" * 40, "v", "mig"), SOURCE, HOSTS[:1])
    known = {"entry": entry_digest(site[1])}
    has = replace(found(HOSTS[0]), installed=known, stage=made[0].stage)
    made = [replace(one, found=has, fleet=((HOSTS[0], has),)) for one in made]
    plan = make_plan(DEPLOY, made[0].run, made)
    assert "code.entry" in plan.idle


def test_migrations_that_the_database_has_are_not_run_and_pages_are_asked_while_preparing() -> None:
    has = replace(found(HOSTS[3]), migrated="mig")
    made = targets(Release(NEW, "b" * 40, "v", "mig"), SOURCE, HOSTS)
    fleet = tuple((host, has if host.name == "db1" else said) for host, said in made[0].fleet)
    made = [replace(one, fleet=fleet) for one in made]
    text = "\n".join(make_plan(DEPLOY, made[0].run, made).lines())
    assert "migrate.py" not in text
    assert text.index("ask 8101 shop.example.com") < text.index("== commit")


@step("db.export", roles=("db",), phase=Phase.COMMIT)
def backup(_t: Target) -> Iterator[Action]:
    """dump the database"""
    yield Command(("pg_dump", "shop"))


def test_a_flow_is_changed_by_saying_where() -> None:
    names = [one.name for one in DEPLOY.before(migrate, backup).without(prune).steps]
    assert names[names.index("db.migrate") - 1] == "db.export"
    assert "prune" not in names
    assert "prune" in [one.name for one in DEPLOY.steps]


def test_a_step_that_prepares_cannot_be_put_behind_the_switch() -> None:
    with pytest.raises(Refused, match="cannot stand behind the switch"):
        DEPLOY.after(activate, push)


def test_a_step_that_a_flow_does_not_have_cannot_be_replaced() -> None:
    with pytest.raises(Refused, match="has no step"):
        ROLLBACK.without(push)


def test_hosts_that_a_balancer_holds_out_go_one_by_one_and_only_then() -> None:
    work = tuple(Work(host, (Command(("true",)),)) for host in HOSTS)
    assert Part(push, work).waves == (work,)
    drained = tuple(Work(host, (Command(("drained", "true")),)) for host in HOSTS)
    assert Part(push, drained).waves == tuple((one,) for one in drained)


def embedded(drain: int = 0) -> Project:
    return replace(PROJECT, apache=Apache(mode="embedded"), web=replace(PROJECT.web, drain=drain))


def activated(project: Project) -> Part:
    release = Release(NEW, "b" * 40, "v", "mig")
    plan = make_plan(
        DEPLOY, Run("1", "deploy", "ann@desk"), targets(release, SOURCE, HOSTS, project)
    )
    return next(part for part in plan.parts if part.step is activate)


def test_embedded_mode_reloads_apache_behind_the_rename_and_on_the_way_back() -> None:
    work = activated(embedded()).work[0]
    done = [action.argv for action in work.actions if isinstance(action, Command)]
    undone = [action.argv for action in work.undo if isinstance(action, Command)]
    after = ("60", "80", "shop.example.com", "/")
    where = ("reload_embedded", "/srv/www/shop", "shop")
    assert [argv[0] for argv in done[-3:]] == ["switch", "reload_embedded", "ask"]
    assert done[-2] == (*where, NEW, *after, "ask")
    assert undone[1] == (*where, OLD, *after, "ask_back")
    reloading = {work.host.name for work in activated(embedded()).work if work.actions[3:]}
    assert reloading == {"web1", "web2"}


def test_behind_a_balancer_embedded_hosts_leave_it_one_by_one_to_be_reloaded() -> None:
    part = activated(embedded(drain=3))
    assert all(len(wave) == 1 for wave in part.waves)
    [drained] = [
        a for a in part.work[0].actions if isinstance(a, Command) and a.argv[0] == "drained"
    ]
    assert "reload_embedded" in drained.argv
    # In daemon mode a switch needs nobody to be held out.
    daemons = replace(PROJECT, web=replace(PROJECT.web, drain=3))
    assert len(activated(daemons).waves) == 2


def test_daemon_mode_never_reloads_apache_for_a_release() -> None:
    words = [a.argv for w in activated(PROJECT).work for a in w.actions if isinstance(a, Command)]
    assert not [argv for argv in words if "reload_embedded" in argv]


def test_the_virtualenv_that_the_new_release_runs_on_is_kept_though_no_older_one_uses_it() -> None:
    old = tuple(f"{number:06d}-aaaaaaa" for number in range(1, 8))
    said = replace(found(HOSTS[0]), web=tree(*old))
    (target, *_) = [t for t in targets(Release(NEW, "b" * 40), SOURCE, HOSTS[:1])[1:]]
    key = venv_key(SOURCE, said)
    target = replace(target, found=replace(said, venvs=(key, "unused", "v")))
    shown = [action.shown() for action in prune.build(target)]
    assert shown[-1] == "remove_venvs /srv/www/shop unused"


def test_what_a_failed_install_left_is_swept_with_the_release_that_it_was_for() -> None:
    target = targets(Release(NEW, "b" * 40), SOURCE, HOSTS[:1])[1]
    failed = replace(found(HOSTS[0]), web=Tree(partial=("000006-fffffff",)))
    shown = [action.shown() for action in prune.build(replace(target, found=failed))]
    assert shown[-1] == "remove_venvs /srv/www/shop"


def test_a_slow_disk_may_link_and_read_a_large_tree_in_silence() -> None:
    _, web, _, static, _ = targets(Release(NEW, "b" * 40), SOURCE, HOSTS)
    sends, seals, *_ = sync.build(static)
    actions = [*push.build(web), sends, seals]
    assert {action.quiet_limit for action in actions} == {300.0}


def test_static_files_stay_while_a_web_host_cannot_say_which_of_them_its_pages_name() -> None:
    static = HOSTS[2]
    old = tuple(f"{number:06d}-aaaaaaa" for number in range(1, 9))
    (_, target) = targets(Release(NEW, "b" * 40), SOURCE, (static,))
    target = replace(target, found=replace(found(static), static=tree(*old)))
    assert "remove_releases" in next(one.shown() for one in prune.build(target))
    (said,) = prune.build(replace(target, unseen=("web2",)))
    assert said.shown() == "echo 'warning: no static file is taken away: web2 may need it'"


def test_static_files_are_released_to_static_hosts_alone_whatever_r_names() -> None:
    """Else a web host would record a release that nobody has sent to it."""
    assert DEPLOY_STATIC.served == {"static"}
