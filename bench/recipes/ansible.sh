#!/bin/bash
# ansible.sh deploy|rollback|static: what is done on this machine, and the playbook.
set -euo pipefail
site=$WORK/$([ "$1" = static ] && echo pages || echo clone)/site
if [ "$1" != rollback ]; then git -C "$site" pull -q; fi
if [ "$1" = static ]; then
  (cd "$site" && SECRET_KEY=none DATABASE_URL=sqlite://:memory: \
    DJANGO_SETTINGS_MODULE=config.settings.production \
    "$SITE_PYTHON" manage.py collectstatic --noinput -v0)
fi
export PATH=$ANSIBLE:$PATH ANSIBLE_PIPELINING=true ANSIBLE_FORKS=32 ANSIBLE_NOCOWS=1
export ANSIBLE_SSH_ARGS="-F $SSH_CONFIG -o ControlMaster=auto -o ControlPersist=60s"
export ANSIBLE_HOME=$WORK/home ANSIBLE_PYTHON_INTERPRETER=/usr/bin/python3
exec ansible-playbook -i "${HOSTS// /,}," "${BASH_SOURCE%/*}/ansible.yml" -e "what=$1" \
  -e "release=$(date -u +%Y%m%d%H%M%S)" -e "packages=$(sha256sum <"$site/requirements.txt" | cut -c1-12)"
