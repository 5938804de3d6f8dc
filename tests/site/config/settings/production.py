"""Settings for visitors. What differs between stages, and every secret, is in the environment.

SECRET_KEY and DATABASE_URL are required; for `collectstatic` any value will do, as it opens no
database. On a single host, SQLite lives outside the release:
DATABASE_URL=sqlite:////srv/www/guestbook/shared/data/db.sqlite3 (docs/tutorial.md makes the folder)
"""

from email.utils import getaddresses

from config.settings.base import *  # noqa: F403 - this is how Django settings extend each other
from config.settings.base import env

DEBUG = False
SECRET_KEY = env.str("SECRET_KEY")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

DATABASES = {
    "default": {
        **env.db_url("DATABASE_URL"),
        "CONN_MAX_AGE": env.int("CONN_MAX_AGE", default=60),
        "CONN_HEALTH_CHECKS": True,
    }
}

# Such as pymemcache://127.0.0.1:11211; without it each process keeps a cache of its own.
CACHES = {"default": env.cache_url("CACHE_URL", default="locmemcache://")}

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
}
# What visitors upload is read by the web server, which is not the user that wrote it.
FILE_UPLOAD_PERMISSIONS = 0o644

# Off only where the site is not reached by HTTPS at all, such as on a test fleet.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env.bool("SECURE_COOKIES", default=True)
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=False)
# The balancer and the check before a switch ask for this page by plain HTTP.
SECURE_REDIRECT_EXEMPT = [r"^health/$"]
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("SECURE_HSTS_INCLUDE_SUBDOMAINS", default=False)
SECURE_HSTS_PRELOAD = env.bool("SECURE_HSTS_PRELOAD", default=False)
# Only behind a proxy that sets this header itself: otherwise any visitor could.
if env.bool("TRUST_FORWARDED_PROTO", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

ADMINS = [pair for pair in getaddresses([env.str("ADMINS", default="")]) if pair[1]]
SERVER_EMAIL = env.str("SERVER_EMAIL", default="guestbook@localhost")
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default=SERVER_EMAIL)
vars().update(env.email_url("EMAIL_URL", default="smtp://localhost:25"))
EMAIL_TIMEOUT = 10
