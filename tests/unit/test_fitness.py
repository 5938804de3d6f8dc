"""What a host must be and have before anything is changed on it."""

from dataclasses import replace

import pytest

from deploy.errors import Locked, Refused
from deploy.findings import Findings, Lock, Tree
from deploy.fitness import must_be_fit, must_be_of, must_have_here
from deploy.flow import DEPLOY, RELOAD, ROLLBACK
from deploy.host import Host
from deploy.journal import Change, Entry, Run
from deploy.project import Project, Static

PROJECT = Project(name="shop", root="/srv/www/shop")
WEB = Host("web1", "web1", ("web",), project=PROJECT)
FIT = Findings(user="deploy", root="ok", free=10**7, python="3.11.2")


def refused(found: Findings) -> str:
    with pytest.raises(Refused) as error:
        must_be_fit(DEPLOY, [WEB], {"web1": found})
    assert error.value.what.startswith("not started, nothing changed:")
    return f"{error.value.what}\n{error.value.hint}"


def test_a_fit_host_passes() -> None:
    must_be_fit(DEPLOY, [WEB], {"web1": FIT})


def test_every_fault_of_every_host_is_told_at_once() -> None:
    other = replace(WEB, name="web2")
    with pytest.raises(Refused) as error:
        must_be_fit(
            DEPLOY,
            [WEB, other],
            {"web1": replace(FIT, lacks=("rsync", "curl")), "web2": replace(FIT, root="readonly")},
        )
    assert "web1: rsync is not installed: apt-get install rsync" in error.value.what
    assert "web1: curl is not installed" in error.value.what
    assert "web2: /srv/www/shop cannot be written by deploy" in error.value.what


def test_only_what_the_flow_needs_is_asked_for() -> None:
    must_be_fit(ROLLBACK, [WEB], {"web1": replace(FIT, lacks=("rsync", "python3-venv"))})


def test_a_web_host_that_hides_processes_is_refused_before_anybody_waits_for_them_in_vain() -> None:
    hidden = replace(FIT, lacks=("proc",))
    assert "mount -o remount,gid=$(id -g deploy) /proc" in refused(hidden)
    must_be_fit(DEPLOY, [replace(WEB, roles=("db",))], {"web1": hidden})


def test_a_full_disk_stops_what_sends_and_never_the_way_back() -> None:
    full = replace(FIT, free=1024)
    assert "only 1 MiB are free below /srv/www/shop; 200 needed" in refused(full)
    must_be_fit(ROLLBACK, [WEB], {"web1": full})
    must_be_fit(RELOAD, [WEB], {"web1": full})


def test_a_host_that_was_never_prepared_says_how_to_prepare_it() -> None:
    said = refused(Findings(user="deploy", root="missing", python="3.11.2"))
    assert "/srv/www/shop is not prepared for this site" in said
    assert "fab -H HOST setup --script" in said


def test_a_current_that_is_a_directory_says_how_to_move_it_away() -> None:
    said = refused(replace(FIT, web=Tree(blocked=True)))
    assert "mv /srv/www/shop/current /srv/www/shop/current.old" in said


def test_a_python_that_is_missing_or_too_old_is_named() -> None:
    assert "there is no python3" in refused(replace(FIT, python=""))
    assert "python3 is 3.7.3" in refused(replace(FIT, python="3.7.3"))


def test_a_disk_that_is_nearly_full_is_refused() -> None:
    assert "only 10 MiB are free" in refused(replace(FIT, free=10 * 1024))


def locked(found: Findings) -> Locked:
    with pytest.raises(Locked) as error:
        must_be_fit(DEPLOY, [WEB], {"web1": found})
    assert "nothing was changed" in error.value.what
    return error.value


def test_a_lock_whose_owner_lives_is_worth_waiting_for() -> None:
    error = locked(replace(FIT, lock=Lock("r1 deploy by ann@desk", alive=True)))
    assert error.alive
    assert "r1 deploy by ann@desk" in error.what


def test_a_lock_whose_owner_is_gone_and_an_open_run_need_recover() -> None:
    assert locked(replace(FIT, lock=Lock("r1", alive=False))).hint == "fab recover"
    entry = Entry(Run("r1", "deploy", "ann@desk"), "web1", ("web1",), {"web": Change(None, "x")})
    error = locked(replace(FIT, runs=(entry,)))
    assert error.hint == "fab recover"
    assert "in the middle of deploy r1 by ann@desk" in error.what


def test_a_frozen_host_says_by_whom_and_why() -> None:
    error = locked(replace(FIT, frozen="by ann@desk: audit"))
    assert "frozen: by ann@desk: audit" in error.what
    assert error.hint == "fab unlock"


def test_a_machine_without_rsync_is_refused_before_any_host_is_asked() -> None:
    with pytest.raises(Refused, match="rsync is not installed on this machine") as refused:
        must_have_here(DEPLOY, Project(), lambda _: None)
    assert refused.value.hint == "apt-get install rsync"


def test_going_back_sends_nothing_and_so_needs_no_rsync_here() -> None:
    must_have_here(ROLLBACK, Project(), lambda _: None)


def test_brotli_without_its_package_is_refused_where_files_are_collected() -> None:
    asks = Project(static=Static(mode="server", brotli=True))
    with pytest.raises(Refused, match="no brotli package") as refused:
        must_have_here(DEPLOY, asks, str, lambda _: None)
    assert "django-fabric-deploy[brotli]" in refused.value.hint
    must_have_here(DEPLOY, asks, str, str)
    must_have_here(ROLLBACK, asks, str, lambda _: None)
    must_have_here(DEPLOY, Project(static=Static(brotli=True)), str, lambda _: None)


def test_an_environment_that_others_can_read_stops_a_release_but_no_way_back() -> None:
    open_to_all = replace(FIT, exposed=True)
    assert "chmod 640 /srv/www/shop/shared/env" in refused(open_to_all)
    must_be_fit(ROLLBACK, [WEB], {"web1": open_to_all})


def test_a_stage_whose_name_is_another_sites_on_that_host_does_not_take_its_vhost() -> None:
    taken = {"web1": replace(FIT, elsewhere=("apache",))}
    with pytest.raises(Refused, match="apache's site shop on web1 serves another dir") as refused:
        must_be_of("staging", [WEB], taken)
    assert "--yes" in refused.value.hint
    must_be_of("staging", [replace(WEB, roles=("db",))], taken)
    must_be_of("staging", [WEB], {"web1": replace(FIT, elsewhere=("nginx",))})


def test_a_site_that_is_another_stages_is_not_released_over() -> None:
    must_be_of("live", [WEB], {"web1": FIT})
    must_be_of("live", [WEB], {"web1": replace(FIT, stage="live")})
    with pytest.raises(Refused, match="is stage live's, not staging's") as refused:
        must_be_of("staging", [WEB], {"web1": replace(FIT, stage="live")})
    assert "--yes" in refused.value.hint
