"""Where the project is, and what its pyproject.toml says about deploying it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from deploy.errors import Refused
from deploy.loading import Place, Values, build, parsed, read, table
from deploy.project import Project
from deploy.settings import keys

HERE = Place("pyproject.toml", ("tool", "deploy"))


def find_top(start: Path) -> Path:
    """The nearest folder, upward, whose pyproject.toml has `[tool.deploy]`, or else a fabfile.py.

    Refused if there is none.
    """
    folders = (start.resolve(), *start.resolve().parents)
    for folder in folders:
        if _tables(folder) is not None:
            return folder
    for folder in folders:
        if (folder / "fabfile.py").is_file():
            return folder
    raise Refused(
        f"no project to deploy in {start} or above: no pyproject.toml with [tool.deploy]",
        "fabd init, beside manage.py, writes one to begin with",
    )


def site(top: Path) -> Values:
    """What `[tool.deploy]` says, checked but without defaults; Refused if it is wrong."""
    return read(keys(Project), table(_tables(top) or {}, HERE), HERE)


def default_stage(top: Path, environ: Mapping[str, str]) -> str:
    """The stage that is meant when none is named; empty if nobody said."""
    return environ.get("DEPLOY_STAGE") or str(site(top).get("stage", ""))


def finished(values: Values) -> Project:
    """The project with computed defaults filled in; Refused if it lacks what nobody can guess."""
    project = build(Project, values)
    if not project.name:
        raise HERE.at("name").refused('is missing: write name = "mysite", a short name for it')
    if not project.settings:
        example = "config.settings.production"
        raise HERE.at("settings").refused(
            f'is missing: write settings = "{example}", the settings module the hosts use',
            "a stage can have its own under [project] in its inventory",
        )
    if project.web.port in project.web.private_ports:
        raise HERE.at("web", "private_ports").refused(
            f"{project.web.port} is web.port, where visitors are served already"
        )
    _must_fit_apache(project)
    return replace(
        project,
        root=project.root.rstrip("/") or f"/srv/www/{project.name}",
        wsgi=project.wsgi or _wsgi(project.settings),
    )


def _must_fit_apache(project: Project) -> None:
    apache, place = project.apache, HERE.at("apache")
    if bool(apache.certificate) != bool(apache.certificate_key):
        raise place.refused("needs both certificate and certificate_key, or neither")
    if apache.certificate and project.web.port == 443:
        raise HERE.at("web", "port").refused("443 is where the certificate is served; write 80")
    root = project.root.rstrip("/") or f"/srv/www/{project.name}"
    changing = tuple(f"{root}/{name}/" for name in ("current", "releases", "slots"))
    for path in (apache.python_home, *apache.python_path):
        if f"{path}/".startswith(changing):
            raise place.refused(
                f"{path} changes under processes that run: name a path outside of releases"
            )


def _wsgi(settings: str) -> str:
    package, found, _ = settings.partition(".settings")
    return f"{package if found else settings.rpartition('.')[0] or settings}.wsgi:application"


def _tables(folder: Path) -> object:
    path = folder / "pyproject.toml"
    if not path.is_file():
        return None
    return table(parsed(path, str(path)).get("tool", {}), Place(str(path), ("tool",))).get("deploy")
