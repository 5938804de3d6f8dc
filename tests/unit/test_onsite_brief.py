"""How migrations are told to people."""

from deploy.onsite.brief import briefly

AUTH = [f"auth.{number:04}_one" for number in range(12)]


def test_few_migrations_are_told_by_name() -> None:
    assert briefly(AUTH[:2]) == "auth.0000_one, auth.0001_one"


def test_of_many_it_is_said_how_many_each_app_has() -> None:
    assert briefly([*AUTH, "admin.0001_initial"]) == "admin 1, auth 12"
