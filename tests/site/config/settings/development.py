"""Settings for a developer's own machine: nothing has to be set."""

from config.settings.base import *  # noqa: F403 - this is how Django settings extend each other
from config.settings.base import BASE_DIR, env

DEBUG = True
SECRET_KEY = "django-insecure-only-for-this-machine"  # noqa: S105 - the name says it
ALLOWED_HOSTS = ["*"]
DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{BASE_DIR}/db.sqlite3")}
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
