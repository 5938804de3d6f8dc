"""Packages that come with the code, for hosts whose Python is not the operator's."""

import subprocess
import sys
from pathlib import Path

import deploy

BUILD = Path(deploy.__file__).parent / "local/build.sh"
BACKEND = '''"""Makes a wheel of one module, and needs nothing from anywhere to do so."""

import zipfile

TAG = "{tag}"


def build_wheel(folder, *_):
    name = f"ours-1-{{TAG}}.whl"
    facts = "Metadata-Version: 2.1\\nName: ours\\nVersion: 1\\n"
    kind = f"Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: {{TAG}}\\n"
    with zipfile.ZipFile(f"{{folder}}/{{name}}", "w") as wheel:
        wheel.writestr("ours.py", "")
        wheel.writestr("ours-1.dist-info/METADATA", facts)
        wheel.writestr("ours-1.dist-info/WHEEL", kind)
        wheel.writestr("ours-1.dist-info/RECORD", "")
    return name
'''
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "ours"
version = "1"
"""


def fetched(folder: Path, tag: str) -> subprocess.CompletedProcess[str]:
    """Wheels for another Python, of code that brings the package `ours`."""
    code = folder / "code"
    (code / "ours").mkdir(parents=True)
    (code / "requirements.txt").write_text("./ours\n")
    (code / "ours/pyproject.toml").write_text(PROJECT)
    (code / "ours/backend.py").write_text(BACKEND.format(tag=tag))
    pip = (sys.executable, "-m", "pip", "download", "--no-index", "--only-binary=:all:", "-d")
    argv = ["sh", BUILD, "fetch_wheels", folder / "wheels", code, "requirements.txt", "ours", *pip]
    return subprocess.run([str(word) for word in argv], capture_output=True, text=True)


def test_pip_downloads_no_folder_of_the_code_and_says_that_it_has_so_it_is_built(
    tmp_path: Path,
) -> None:
    done = fetched(tmp_path, "py3-none-any")
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "wheels").iterdir()] == ["ours-1-py3-none-any.whl"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["code", "wheels"]


def test_what_would_have_to_be_compiled_for_another_python_is_refused_with_the_way_out(
    tmp_path: Path,
) -> None:
    ours = f"cp{sys.version_info.major}{sys.version_info.minor}"
    done = fetched(tmp_path, f"{ours}-{ours}-linux_x86_64")
    assert done.returncode == 65
    assert 'set install = "pip"' in done.stderr
    assert not (tmp_path / "wheels").exists()
