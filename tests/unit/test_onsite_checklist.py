"""What the program on the hosts tells of settings that do not load, and of requirements."""

import socket
from pathlib import Path

import pytest

from deploy.onsite.hostfacts import _same, _wanted
from deploy.onsite.places import addresses as addresses_of
from deploy.onsite.places import listens_everywhere, on_a_server
from deploy.onsite.sitefault import fault_of


def loading(folder: Path, text: str) -> str:
    """What is told of a settings file in a release that does not load."""
    file = folder / "settings.py"
    file.write_text(text)
    try:
        exec(compile(text, str(file), "exec"), {})  # noqa: S102 - that is what an import does
    except Exception as error:
        return fault_of(error, folder)
    raise AssertionError("it loads")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import os\nKEY = os.environ['NO_SUCH_KEY']\n", "KeyError (NO_SUCH_KEY) at settings.py:2"),
        ("import no_such_module\n", "ModuleNotFoundError (no_such_module) at settings.py:1"),
        ("\n\nPORT = int('hunter2')\n", "ValueError at settings.py:3"),
        ("raise KeyError('a secret value')\n", "KeyError at settings.py:1"),
        ("raise RuntimeError('Set the KEY environment variable')", "RuntimeError (KEY is not set)"),
        ("DEBUG = = False\n", "SyntaxError at settings.py:1"),
    ],
)
def test_settings_that_raise_are_told_by_exception_and_line_and_without_the_message(
    tmp_path: Path, text: str, told: str
) -> None:
    said = loading(tmp_path, text)
    assert said.startswith(told)
    assert "hunter2" not in said
    assert "secret value" not in said
    assert "\n" not in said


def test_the_line_is_the_site_s_own_and_not_that_of_a_package(tmp_path: Path) -> None:
    package = tmp_path / "venv" / "lib.py"
    package.parent.mkdir()
    package.write_text("def fail():\n    raise ValueError('no value')\n")
    code = compile(package.read_text(), str(package), "exec")
    names: dict[str, object] = {}
    exec(code, names)  # noqa: S102 - a package of the release
    settings = compile("\nfail()\n", str(tmp_path / "settings.py"), "exec")
    with pytest.raises(ValueError, match="no value") as raised:
        exec(settings, names)  # noqa: S102 - the settings that use it
    assert raised.traceback[-1].path == package
    assert fault_of(raised.value, tmp_path) == "ValueError at settings.py:2"


def test_requirements_are_read_with_those_they_include_pins_markers_and_all(tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("Pillow==11.0\n-r requirements.txt\n")
    (tmp_path / "requirements.txt").write_text(
        "# the site\n"
        "Django==5.2.1 \\\n    --hash=sha256:abc\n"
        "django-environ  # unpinned\n"
        "psycopg[binary]==3.2\n"
        'tomli==2.0; python_version < "3.11"\n'
        "--index-url https://pypi.example.com\n"
        "https://example.com/wheel.whl\n"
        "./packages/ours\n"
        "packages/theirs\n"
        "ours @ https://example.com/ours.zip\n"
        "Markdown==3.*\n"
        "idna==3.0rc1\n"
        "sqlparse>=0.5\n"
        "-r more.txt\n"
    )
    assert list(_wanted(tmp_path / "requirements.txt")) == [
        ("Django", "5.2.1"),
        ("django-environ", ""),
        ("psycopg", "3.2"),
        ("ours", ""),
        ("Markdown", ""),
        ("idna", ""),
        ("sqlparse", ""),
        ("Pillow", "11.0"),
    ]


@pytest.mark.parametrize(
    ("location", "addresses"),
    [
        ("127.0.0.1:11211", ["127.0.0.1:11211"]),
        (["10.0.0.1:11211", "10.0.0.2:11211"], ["10.0.0.1:11211", "10.0.0.2:11211"]),
        ("redis://user:pa55word@cache1:6379/1", ["cache1:6379"]),
        ("redis://cache1:6379/1", ["cache1:6379"]),
        ("redis://cache1:6379?password=pa55word", ["cache1:6379"]),
        ("unix:/run/memcached.sock", []),
        ("", []),
    ],
)
def test_addresses_of_caches_are_told_without_passwords(
    location: object, addresses: list[str]
) -> None:
    assert list(addresses_of(location)) == addresses


def test_who_listens_is_seen_also_where_the_kernel_knows_no_ipv6(tmp_path: Path) -> None:
    line = "   0: {}:2BCB 00000000:0000 {} 00000000:00000000 00:00000000 00000000\n"
    table = tmp_path / "tcp"
    table.write_text("  sl  local_address rem_address   st\n" + line.format("0100007F", "0A"))
    assert not listens_everywhere("127.0.0.1:11211", tmp_path)
    table.write_text(table.read_text() + line.format("00000000", "0A"))
    assert listens_everywhere("127.0.0.1:11211", tmp_path)


@pytest.mark.parametrize(
    ("there", "wanted", "same"),
    [
        ("2024.7.4", "2024.07.04", True),
        ("5.2", "5.2.0", True),
        ("5.2.0+local", "5.2", True),
        ("5.10", "5.1", False),
        ("5.2.1", "5.2", False),
        ("5.2rc1", "5.2", False),
        ("5.2.post1", "5.2", False),
    ],
)
def test_a_version_is_what_installers_make_of_it_however_it_is_written(
    there: str, wanted: str, same: bool
) -> None:
    assert _same(there, wanted) == same


@pytest.mark.parametrize(
    ("location", "server"),
    [
        ("127.0.0.1:11211", True),
        (["[::1]:11211"], True),
        ("redis://10.0.0.5:6379/0", True),
        ("unix:/run/memcached.sock", True),
        ("10.0.0.1:11211;10.0.0.2:11211", True),
        ("/var/tmp/cache", False),
        (Path("/var/tmp/cache"), False),
        ("file:///var/tmp/cache", False),
        ("a name", False),
        ("", False),
    ],
)
def test_a_folder_or_a_name_is_no_address_of_a_cache(location: object, server: bool) -> None:
    assert on_a_server(location) == server


def test_a_path_may_be_that_of_a_socket_which_is_told_by_what_lies_there(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        assert on_a_server(str(tmp_path / "s"))
    assert not on_a_server(str(tmp_path))
