"""What a bucket holds for releases: looked after while they are kept, and then taken away."""

import hashlib
from pathlib import Path

import pytest

from tests.local.s3server import S3Server
from tests.local.test_static_bucket import OWNER, PLAIN, Site, site_with

SERVED = {
    '"cdn.example.com"': 'os.environ["S3"].partition("//")[2] + "/assets"',
    '"site",': '"site", "url_protocol": "http:", "default_acl": "public-read",',
}
"""Visitors ask the bucket itself."""
FIRST, SECOND, THIRD = "000001-aaaaaaa", "000002-bbbbbbb", "000003-ccccccc"


@pytest.fixture
def site(tmp_path: Path, s3: S3Server) -> Site:
    made = site_with(s3, tmp_path)
    made.settings(SERVED)
    return made


def release(site: Site, dot: str, owner: str = OWNER) -> str:
    """Send the files of a release with this content; what a web host calls the names in it."""
    site.write({"pages/static/pages/dot.svg": dot})
    site.collect()
    done = site.run("send.py", "send", "pages.settings", owner)
    assert (done.returncode, done.stderr) == (0, "")
    return hashlib.sha256((site.path / "staticfiles" / ".hashed").read_bytes()).hexdigest()[:16]


def kept(site: Site, verb: str, **releases: str) -> str:
    """What is said where these releases are kept, each by its digest."""
    words = [f"{digest}={name}" for name, digest in releases.items()]
    done = site.run("kept.py", verb, "pages.settings", OWNER, *words)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def refused(site: Site, verb: str, **releases: str) -> str:
    words = [f"{digest}={name}" for name, digest in releases.items()]
    return site.refusal("kept.py", verb, "pages.settings", OWNER, *words)


def refused_after(site: Site, verb: str, **releases: str) -> str:
    """The one line of a refusal that comes after something else was said."""
    words = [f"{digest}={name}" for name, digest in releases.items()]
    done = site.run("kept.py", verb, "pages.settings", OWNER, *words)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    return done.stderr


def test_only_what_a_release_that_is_gone_named_and_no_other_does_is_taken_away(
    site: Site, s3: S3Server
) -> None:
    release(site, "<svg>1</svg>")
    one = s3.keys()
    s3.client.put_object(Bucket="assets", Key="site/theirs.txt", Body=b"theirs")
    s3.client.put_object(Bucket="assets", Key="elsewhere.txt", Body=b"theirs")
    second = release(site, "<svg>2</svg>")
    both = s3.keys()
    third = release(site, "<svg>3</svg>")
    said = kept(site, "prune", **{THIRD: third, SECOND: second})
    assert said == "2 files of releases that are gone were taken out of the bucket assets\n"
    gone = both.keys() - s3.keys().keys()
    assert {name for name in gone if name not in one} == set()
    assert len(gone) == 2, "the picture and the style sheet that names it, with their digests"
    assert {"site/theirs.txt", "elsewhere.txt", "site/robots.txt"} <= s3.keys().keys()
    assert "has all 3 files" in kept(site, "check", **{THIRD: third, SECOND: second})
    before = s3.everything()
    assert kept(site, "prune", **{THIRD: third, SECOND: second}).startswith("0 files ")
    assert s3.everything() == before


def test_of_a_release_that_is_gone_back_to_the_list_is_enough(site: Site, s3: S3Server) -> None:
    first = release(site, "<svg>1</svg>")
    release(site, "<svg>2</svg>")
    for file in (site.path / "staticfiles").glob("**/*"):
        if file.is_file():
            file.unlink()
    assert kept(site, "back", **{FIRST: first}).endswith(f"files that pages of {FIRST} name\n")
    for key in s3.everything():
        if key.startswith("site/pages/dot."):
            s3.client.delete_object(Bucket="assets", Key=key)
    words = ("kept.py", "back", "pages.settings", OWNER, f"{first}={FIRST}")
    done = site.run(*words)
    assert done.returncode == 65
    assert (
        "the bucket assets lacks 1 of 3 files of 000001-aaaaaaa, such as pages/dot." in done.stderr
    )


def test_files_that_another_stage_sent_to_the_same_place_stay(site: Site, s3: S3Server) -> None:
    release(site, "<svg>1</svg>", owner="shop.staging")
    theirs = s3.everything()
    release(site, "<svg>1</svg>")
    second = release(site, "<svg>2</svg>")
    assert kept(site, "prune", **{SECOND: second}).startswith("0 files ")
    assert theirs.keys() <= s3.everything().keys()


def test_a_name_without_a_digest_that_somebody_has_used_anew_stays(
    site: Site, s3: S3Server
) -> None:
    site.write({"pages/static/old.txt": "ours", "pages/static/older.txt": "ours as well"})
    release(site, "<svg>1</svg>")
    for name in ("old.txt", "older.txt"):
        (site.path / "pages/static" / name).unlink()
    second = release(site, "<svg>2</svg>")
    s3.client.put_object(Bucket="assets", Key="site/old.txt", Body=b"somebody else's")
    kept(site, "prune", **{SECOND: second})
    left = s3.keys()
    assert ("site/old.txt" in left, "site/older.txt" in left) == (True, False)


def test_nothing_is_taken_away_while_it_is_not_known_what_is_needed(
    site: Site, s3: S3Server
) -> None:
    release(site, "<svg>1</svg>")
    second = release(site, "<svg>2</svg>")
    before = s3.everything()
    line = refused(site, "prune", **{FIRST: "0" * 16, SECOND: second})
    assert line == (
        "nothing was taken away: the bucket assets has no list of the files of 000001-aaaaaaa:"
        " fab deploy-static --revision aaaaaaa makes one\n"
    )
    line = refused(site, "prune", **{FIRST: "", SECOND: second})
    assert "files of 000001-aaaaaaa carry no digest in their names" in line
    assert refused(site, "prune").startswith("nothing was taken away: ")
    assert s3.everything() == before
    [name] = [key for key in before if f"/{second}-" in key]
    s3.client.put_object(Bucket="assets", Key=name, Body=b'{"hashed": {"cut of')
    assert "cannot be understood" in refused(site, "prune", **{SECOND: second})
    assert s3.everything().keys() == before.keys()


def test_a_prune_that_was_refused_half_way_is_finished_by_the_next(
    site: Site, s3: S3Server
) -> None:
    release(site, "<svg>1</svg>")
    second = release(site, "<svg>2</svg>")
    reader = Site(site.path, site.environ | s3.reader())
    before = s3.everything()
    s3.check_rights()
    line = refused(reader, "prune", **{SECOND: second})
    assert line.startswith("the bucket assets refuses these credentials: AccessDenied: ")
    s3.count_no_rights()
    assert s3.everything() == before
    assert kept(site, "prune", **{SECOND: second}).startswith("2 files ")


def test_files_of_every_release_that_is_kept_are_looked_at_and_some_are_asked_for_over_http(
    site: Site, s3: S3Server
) -> None:
    first, mine = release(site, "<svg>1</svg>"), s3.keys()
    second = release(site, "<svg>2</svg>")
    releases = {SECOND: second, FIRST: first}
    s3.asked.clear()
    said = kept(site, "check", **releases).splitlines()
    assert said == [
        "the bucket assets has all 3 files that pages of 000002-bbbbbbb name",
        "the bucket assets has all 3 files that pages of 000001-aaaaaaa name",
        "3 of 3 files were asked for over HTTP, and came as they are",
    ]
    assert len([path for verb, path in s3.asked if verb == "GET" and ".json" not in path]) == 4
    [old] = [name for name in mine if name.startswith("site/pages/dot.") and name.count(".") == 2]
    s3.client.delete_object(Bucket="assets", Key=old)
    line = refused_after(site, "check", **releases)
    assert "the bucket assets lacks 1 of 3 files of 000001-aaaaaaa, such as pages/dot." in line
    assert line.endswith(": fab deploy-static --revision aaaaaaa sends them\n")


def test_what_visitors_do_not_get_is_told_though_the_bucket_is_whole(
    site: Site, s3: S3Server
) -> None:
    only = {SECOND: release(site, "<svg>2</svg>")}
    site.settings({**SERVED, '"cdn.example.com"': '"127.0.0.1:1/cdn"'})
    line = refused_after(site, "check", **only)
    assert line.startswith("visitors do not get http://127.0.0.1:1/cdn/site/pages/dot.")
    assert "Connection refused" in line
    cdn = f'"127.0.0.1:{s3.port}/assets/cdn"'
    site.settings({**SERVED, '"cdn.example.com"': cdn})
    assert "404" in refused_after(site, "check", **only)
    for key in list(s3.keys()):
        stale = {"Bucket": "assets", "Key": f"cdn/{key}", "Body": b"stale"}
        s3.client.put_object(**stale, ACL="public-read")
    assert "it has other content" in refused_after(site, "check", **only)


def test_names_without_digests_are_compared_with_what_is_collected(
    site: Site, s3: S3Server
) -> None:
    site.settings({**SERVED, **PLAIN})
    release(site, "<svg>1</svg>")
    assert "has all 3 files" in kept(site, "check", **{FIRST: ""})
    s3.client.put_object(Bucket="assets", Key="site/pages/dot.svg", Body=b"<svg>other</svg>")
    assert "with other content, such as pages/dot.svg" in refused(site, "check", **{FIRST: ""})


def test_a_release_from_before_there_were_lists_is_told_of(site: Site) -> None:
    second = release(site, "<svg>2</svg>")
    said = kept(site, "check", **{SECOND: second, FIRST: "0" * 16})
    assert "warning: the bucket assets has no list of the files of 000001-aaaaaaa\n" in said
