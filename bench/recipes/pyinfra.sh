#!/bin/bash
# pyinfra.sh deploy|rollback|static: what is done on this machine before pyinfra, and pyinfra.
set -euo pipefail
site=$WORK/$([ "$1" = static ] && echo pages || echo clone)/site
# pyinfra runs a deploy file once for each host, so local work is done before.
if [ "$1" != rollback ]; then git -C "$site" pull -q; fi
if [ "$1" = static ]; then
  (cd "$site" && SECRET_KEY=none DATABASE_URL=sqlite://:memory: \
    DJANGO_SETTINGS_MODULE=config.settings.production \
    "$SITE_PYTHON" manage.py collectstatic --noinput -v0)
fi
RELEASE=$(date -u +%Y%m%d%H%M%S) PACKAGES=$(sha256sum <"$site/requirements.txt" | cut -c1-12) WHAT=$1
export RELEASE PACKAGES WHAT
exec "$PYINFRA" -y "$WORK/inventory.py" "${BASH_SOURCE%/*}/pyinfra_release.py"
