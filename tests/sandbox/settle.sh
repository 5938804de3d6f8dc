#!/bin/sh
# settle.sh SITE ROLES: makes a container that has started a host that can be deployed to.
# Runs as root in the container, from a directory with prepare-host.sh, deploy-root,
# authorized_keys, env and database.sql. The last line it prints is the host's public key.
set -eu
cd "$(dirname "$0")"
site=$1 roles=$2 root=/srv/www/$1

has_role() { case ",$roles," in *",$1,"*) true ;; *) false ;; esac }

wait_for() {
  tries=300
  until "$@" >/dev/null 2>&1; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || { echo "no answer within 30 s: $*"; exit 1; }
    sleep 0.1
  done
}

# Replaces file $2 by $1, owner and mode $3 and $4, only if it is different.
put() {
  cmp -s "$1" "$2" && return
  install -o "${3%:*}" -g "${3#*:}" -m "$4" "$1" "$2.new"
  mv -f "$2.new" "$2"
}

put authorized_keys /home/deploy/.ssh/authorized_keys deploy:deploy 0600
wait_for test -s /etc/ssh/ssh_host_ed25519_key.pub
if has_role web; then wait_for curl -s -o /dev/null http://127.0.0.1/; fi
# nginx has no site before the first deploy, so there is nothing to ask but its process.
if has_role static; then wait_for pgrep -x nginx; fi
if has_role db; then
  wait_for pg_isready -q
  runuser -u postgres -- psql -q -v ON_ERROR_STOP=1 <database.sql
fi

sh prepare-host.sh --name "$site" --root "$root" --user deploy --roles "$roles"
if has_role web || has_role db; then put env "$root/shared/env" deploy:www-data 0640; fi
cat /etc/ssh/ssh_host_ed25519_key.pub
