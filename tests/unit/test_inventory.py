"""Stage files, the project's settings and what overrides what."""

from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.errors import Refused
from deploy.inventory import load_stage
from deploy.site import find_top

PYPROJECT = """
[tool.deploy]
name = "shop"
settings = "config.settings.production"
"""
HOSTS = """
[hosts.web1]
roles = ["web"]
"""

Write = Callable[..., Path]


@pytest.fixture
def project(tmp_path: Path) -> Write:
    """Writes a project with one stage, `live`, and returns its top."""

    def write(stage: str = HOSTS, pyproject: str = PYPROJECT, **files: str) -> Path:
        (tmp_path / "pyproject.toml").write_text(pyproject)
        folder = tmp_path / "inventories"
        folder.mkdir(exist_ok=True)
        (folder / "live.toml").write_text(stage)
        for name, text in files.items():
            (folder / name.replace("__", ".")).write_text(text)
        return tmp_path

    return write


def refusal(top: Path, stage: str = "live", **more: dict[str, str]) -> str:
    """What is said when the stage is refused."""
    sets = tuple(more.get("sets", {}).items())
    with pytest.raises(Refused) as refused:
        load_stage(top, stage, sets, more.get("environ", {}))
    assert refused.value.exit_code == 2
    return refused.value.what


def test_what_nobody_wrote_is_computed(project: Write) -> None:
    shop = load_stage(project(), "live", environ={}).project
    assert (shop.root, shop.wsgi) == ("/srv/www/shop", "config.wsgi:application")


@pytest.mark.parametrize(
    ("settings", "wsgi"),
    [
        ("config.settings.production", "config.wsgi:application"),
        ("mysite.settings", "mysite.wsgi:application"),
        ("mysite.prod", "mysite.wsgi:application"),
        ("a.b.settings.live", "a.b.wsgi:application"),
    ],
)
def test_the_wsgi_module_lies_beside_the_settings(project: Write, settings: str, wsgi: str) -> None:
    top = project(pyproject=f'[tool.deploy]\nname = "shop"\nsettings = "{settings}"\n')
    assert load_stage(top, "live", environ={}).project.wsgi == wsgi


def test_each_layer_overrides_the_one_below(project: Write) -> None:
    below = PYPROJECT + "[tool.deploy.web]\nthreads = 2\n"
    stage = HOSTS + "[project.web]\nthreads = 3\n"
    own = stage.replace('roles = ["web"]', 'roles = ["web"]\nweb.threads = 4')

    def threads(top: Path, sets: tuple[tuple[str, str], ...], environ: dict[str, str]) -> int:
        return load_stage(top, "live", sets, environ).hosts[0].project.web.threads

    variable = {"DEPLOY_WEB_THREADS": "5"}
    assert threads(project(), (), {}) == 5  # the default
    assert threads(project(pyproject=below), (), {}) == 2
    assert threads(project(stage, below), (), {}) == 3
    assert threads(project(own, below), (), {}) == 4
    assert threads(project(own, below), (), {"DEPLOY_WEB_THREADS": "6"}) == 6
    assert threads(project(own, below), (("web.threads", "7"),), variable) == 7


def test_a_host_differs_only_where_it_says_so(project: Write) -> None:
    stage = load_stage(
        project('[hosts.a]\nweb.processes = 9\nuser = "root"\n[hosts.b]\n'), "live", environ={}
    )
    a, b = stage.hosts
    assert (a.project.web.processes, b.project.web.processes) == (9, 2)
    assert (a.ssh.user, b.ssh.user) == ("root", "")


def test_text_becomes_the_type_of_its_key(project: Write) -> None:
    sets = (
        ("web.warm", "/a, /b/"),
        ("web.private_ports", "9001,9002"),
        ("db.migrate", "no"),
        ("static.env", "SECRET_KEY=x=y,DEBUG=0"),
    )
    shop = load_stage(project(), "live", sets, {}).project
    assert shop.web.warm == ("/a", "/b/")
    assert shop.web.private_ports == (9001, 9002)
    assert shop.db.migrate is False
    assert shop.static.env == (("SECRET_KEY", "x=y"), ("DEBUG", "0"))


def test_a_table_of_variables_is_read(project: Write) -> None:
    top = project(HOSTS + '[project.static.env]\nSECRET_KEY = "x"\n')
    assert load_stage(top, "live", environ={}).project.static.env == (("SECRET_KEY", "x"),)


def test_somebody_elses_variable_is_left_alone(project: Write) -> None:
    load_stage(project(), "live", environ={"DEPLOY_TOKEN": "x", "DEPLOY_SSH_KEY": "y"})


def test_a_mistyped_variable_is_refused(project: Write) -> None:
    said = refusal(project(), environ={"DEPLOY_WEB_THREDS": "3"})
    assert (
        said == "DEPLOY_WEB_THREDS: no setting has this variable; did you mean DEPLOY_WEB_THREADS?"
    )


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        ("[hosts.web1]\nrolse = []", 'hosts.web1.rolse: unknown key; did you mean "roles"?'),
        ("[host.web1]", 'host: unknown key; did you mean "hosts"?'),
        ("[project.wbe]", 'project.wbe: unknown key; did you mean "web"?'),
        ("[ssh]\nusre = 1", 'ssh.usre: unknown key; did you mean "user"?'),
        ("confrim = true", 'confrim: unknown key; did you mean "confirm"?'),
        ("[hosts.a]\nroles = 'web'", 'hosts.a.roles: wants a list of texts, not "web"'),
        ("[project]\nkeep = '3'", 'project.keep: wants a whole number, not "3"'),
        ("[project]\nkeep = true", "project.keep: wants a whole number, not true"),
        ("confirm = 1", "confirm: wants true or false, not 1"),
        ("[hosts.a]\nname = 'b'", "hosts.a.name: unknown key"),
        ("hosts = 3", "hosts: wants a table, not 3"),
        ("[hosts]\nweb1 = 3", "hosts.web1: wants a table, not 3"),
        ("[hosts.'a b']", "hosts.a b: the name of a host must be a host name or an IP address"),
        ("[hosts.'-oProxyCommand=x']", "hosts.-oProxyCommand=x: the name of a host must be"),
        ("[hosts.'web[9:1]']", "hosts.web[9:1]: the range runs backwards: 9:1"),
        ("[hosts.'web[1:9999]']", "hosts.web[1:9999]: stands for more than 1000 hosts"),
        ("x = ", "live.toml is not valid TOML: Invalid value"),
        ("parallel = 0", "parallel: 0 will not do: it wants a number from 1 to 1000"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_key(project: Write, stage: str, said: str) -> None:
    refused = refusal(project(stage))
    assert refused.startswith("inventories/live.toml")
    assert said in refused


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "Shop"),
        ("name", "9shop"),
        ("name", "a" * 32),
        ("root", "srv/www"),
        ("root", "/srv"),
        ("root", "/srv/../etc"),
        ("root", "/srv/www/a b"),
        ("root", "/srv/www/$(x)"),
        ("source", "/abs"),
        ("source", "../other"),
        ("requirements", "../r.txt"),
        ("requirements", "-r"),
        ("settings", "config/settings.py"),
        ("wsgi", "config.wsgi"),
        ("shared", "../x"),
        ("keep", "0"),
        ("install", "conda"),
        ("python", "-c"),
        ("web.server_name", "a b"),
        ("web.server_name", "x\nInclude /etc/passwd"),
        ("web.aliases", "ok.example,-bad"),
        ("web.private_ports", "8101,8101"),
        ("web.private_ports", "8101"),
        ("web.private_ports", "8101,70000"),
        ("web.private_ports", "80,81"),
        ("web.user", "www data"),
        ("web.media", "media"),
        ("web.health", "health"),
        ("web.error_log", "error.log"),
        ("web.port", "0"),
        ("web.threads", "99999"),
        ("static.mode", "cdn"),
        ("static.root", "."),
        ("static.url", "/"),
        ("static.env", "A-B=1"),
        ("db.migrate", "maybe"),
        ("stage", "../x"),
        ("web.locale", "C;reboot"),
    ],
)
def test_values_that_make_no_sense_are_refused(project: Write, key: str, value: str) -> None:
    assert key in refusal(project(), sets={key: value})


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ('{ AWS_SECRET_ACCESS_KEY = "s3cr3t", DEBUG = false }', '"DEBUG"'),
        ('{ AWS_SECRET_ACCESS_KEY = "s3cr3t\\n" }', '"AWS_SECRET_ACCESS_KEY"'),
        ('{ "A-B" = "s3cr3t" }', '"A-B"'),
        ('"s3cr3t"', "what is written"),
    ],
)
def test_no_value_of_a_variable_is_shown_as_it_may_be_secret(
    project: Write, written: str, named: str
) -> None:
    said = refusal(project(f"{HOSTS}[project]\nstatic.env = {written}\n"))
    assert "static.env: " in said
    assert named in said
    assert "s3cr3t" not in said
    assert "s3cr3t" not in refusal(project(), sets={"static.env": "s3cr3t"})


def test_an_unknown_key_of_set_is_refused_with_the_nearest_one(project: Write) -> None:
    said = refusal(project(), sets={"web.thread": "3"})
    assert said == '--set web.thread: unknown key; did you mean "web.threads"?'


@pytest.mark.parametrize(("key", "said"), [("name", 'write name = "'), ("settings", "settings =")])
def test_what_nobody_can_guess_is_asked_for(project: Write, key: str, said: str) -> None:
    lines = [line for line in PYPROJECT.splitlines() if not line.startswith(key)]
    refused = refusal(project(pyproject="\n".join(lines)))
    assert refused.startswith(f"pyproject.toml: tool.deploy.{key}: is missing: ")
    assert said in refused


def test_an_unknown_key_of_the_project_is_refused(project: Write) -> None:
    said = refusal(project(pyproject=PYPROJECT + "[tool.deploy.web]\nthread = 1\n"))
    assert said == 'pyproject.toml: tool.deploy.web.thread: unknown key; did you mean "threads"?'


def test_a_range_stands_for_its_hosts(project: Write) -> None:
    stage = '[hosts."web[08:11].example.com"]\nroles = ["web"]\naddress = "10.0.0.[8:11]"\n'
    hosts = load_stage(project(stage), "live", environ={}).hosts
    assert [host.name for host in hosts] == [f"web{n}.example.com" for n in ("08", "09", 10, 11)]
    assert [host.address for host in hosts] == [f"10.0.0.{n}" for n in (8, 9, 10, 11)]


def test_addresses_must_be_as_many_as_names(project: Write) -> None:
    said = refusal(project('[hosts."web[1:3]"]\naddress = "10.0.0.[1:2]"'))
    assert said.endswith("has 3 names but 2 addresses")


def test_one_machine_may_not_be_written_twice(project: Write) -> None:
    said = refusal(project('[hosts.a]\naddress = "10.0.0.1"\n[hosts.b]\naddress = "10.0.0.1"\n'))
    assert said.startswith("inventories/live.toml: hosts.b is the same machine as hosts.a")


def test_paths_of_ssh_are_seen_from_the_inventory(project: Write) -> None:
    top = project('[ssh]\nidentity = "key"\nknown_hosts = "~/known"\n[hosts.a]\nconfig = "/c"\n')
    ssh = load_stage(top, "live", environ={}).hosts[0].ssh
    assert ssh.identity == str(top / "inventories" / "key")
    assert ssh.known_hosts == str(Path.home() / "known")
    assert ssh.config == "/c"


def test_the_stage_wins_over_what_it_includes(project: Write) -> None:
    top = project(
        'include = "base.toml"\nparallel = 4\n[hosts.b]\nport = 2222\n',
        base__toml='parallel = 8\nconfirm = true\n[ssh]\nuser = "root"\n[hosts.a]\n[hosts.b]\n'
        'roles = ["web"]\nport = 22\n',
    )
    stage = load_stage(top, "live", environ={})
    assert (stage.parallel, stage.confirm) == (4, True)
    assert [host.name for host in stage.hosts] == ["a", "b"]
    b = stage.hosts[1]
    assert (b.roles, b.ssh.port, b.ssh.user) == (("web",), 2222, "root")


def test_an_included_file_that_is_missing_is_named_with_the_stages_sentence(
    project: Write,
) -> None:
    said = refusal(project('description = "Start it first."\ninclude = "../fleet/x.toml"\n'))
    assert said == (
        "inventories/live.toml: include: there is no fleet/x.toml."
        ' This stage is described as: "Start it first."'
    )


def test_files_that_include_each_other_are_refused(project: Write) -> None:
    top = project('include = "other.toml"\n', other__toml='include = "live.toml"\n')
    assert refusal(top).endswith("live.toml includes this file in turn")


def test_an_inventory_can_be_computed(project: Write) -> None:
    code = 'def hosts():\n    return {"hosts": {"web1": {"roles": ("web",)}}, "parallel": 2}\n'
    stage = load_stage(project(cloud__py=code), "cloud", environ={})
    assert (stage.parallel, stage.hosts[0].roles) == (2, ("web",))


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("x = 1", "inventories/cloud.py has no function hosts()"),
        (
            "def hosts():\n    return 1 / 0",
            "inventories/cloud.py: hosts() failed: ZeroDivisionError",
        ),
        ("def hosts():\n    return 3", "inventories/cloud.py: hosts(): wants a table, not 3"),
        ("def hosts(", "inventories/cloud.py: hosts() failed: SyntaxError"),
        (
            'def hosts():\n    return {"hots": {}}',
            'cloud.py: hots: unknown key; did you mean "host',
        ),
        ("def hosts():\n    return {}['x']", "inventories/cloud.py: hosts() failed: KeyError"),
    ],
)
def test_a_computed_inventory_that_fails_is_refused(project: Write, code: str, said: str) -> None:
    assert said in refusal(project(cloud__py=code), "cloud")


def test_a_stage_is_either_written_or_computed(project: Write) -> None:
    assert "both" in refusal(project(live__py="def hosts(): return {}"))


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        ("lvie", 'there is no stage "lvie": no inventories/lvie.toml; did you mean "live"?'),
        ("", 'no stage: name one with -I STAGE, or write stage = "..." under [tool.deploy]'),
        (
            "../live",
            '-I wants the name of a file in inventories/ without its ending, not "../live"',
        ),
    ],
)
def test_an_unknown_stage_is_refused_with_those_there_are(
    project: Write, stage: str, said: str
) -> None:
    top = project(example__toml="", staging__toml="")
    with pytest.raises(Refused) as refused:
        load_stage(top, stage, environ={})
    assert refused.value.what == said
    assert refused.value.hint == "stages in inventories/: live, staging"


def test_the_top_is_where_the_project_says_how_it_is_deployed(project: Write) -> None:
    top = project()
    deep = top / "ops" / "deep"
    deep.mkdir(parents=True)
    (top / "ops" / "fabfile.py").touch()
    assert find_top(deep) == top


def test_without_a_project_the_nearest_fabfile_is_the_top(tmp_path: Path) -> None:
    (tmp_path / "fabfile.py").touch()
    (tmp_path / "sub").mkdir()
    assert find_top(tmp_path / "sub") == tmp_path


def test_nowhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no project to deploy"):
        find_top(tmp_path)


def test_a_web_host_cannot_be_an_apache_for_static_files_too(project: Write) -> None:
    host = '[hosts.web1]\nroles = ["web", "static"]\nstatic.server = "{}"\n'
    said = refusal(project(host.format("apache")))
    assert "hosts.web1 is both web and static" in said
    assert load_stage(project(host.format("nginx")), "live", environ={}).hosts[0].roles == (
        "web",
        "static",
    )
