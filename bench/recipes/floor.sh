#!/bin/bash
# floor.sh deploy|rollback|static: a careful release by hand. One connection a host, kept open by
# OpenSSH; rsync against the release before; one script a host and phase; what did not change
# (packages, static files, migrations) is known by its content and not done again.
set -euo pipefail
clone=$WORK/clone pages=$WORK/pages
read -ra hosts <<<"$HOSTS"

options=(-F "$SSH_CONFIG" -o ControlMaster=auto -o "ControlPath=$WORK/%n" -o ControlPersist=60)
on() { ssh "${options[@]}" "$@"; }
export RSYNC_RSH="ssh ${options[*]}"

# Runs a function for every host at once, and fails if it fails for any.
each() {
  local pids=() pid
  for host in "${hosts[@]}"; do "$@" "$host" & pids+=($!); done
  for pid in "${pids[@]}"; do wait "$pid"; done
}

fetch() { git -C "$1" fetch -q && git -C "$1" reset -q --hard origin/main; }
key() { sha256sum | cut -c1-12; }

BUILD='set -e; rel=$1 packages=$2 static=$3 migrations=$4 first=$5 root=$6 shared=$7
  cd "$root"; venv=$root/venvs/$packages
  if [ ! -e "$venv/done" ]; then
    [ -d wheelhouse ] || exit 42
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q --disable-pip-version-check --no-index --find-links wheelhouse \
      -r "releases/$rel/requirements.txt"
    touch "$venv/done"
  fi
  cd "releases/$rel"; ln -s "$venv" venv; ln -s "$root/static/$static" staticfiles
  manage() { env $(cat "$shared/env") DJANGO_SETTINGS_MODULE=config.settings.production \
    venv/bin/python manage.py "$@" --noinput -v0; }
  if [ ! -e "$root/static/$static.done" ]; then
    mkdir -p "$root/static/$static"; manage collectstatic; touch "$root/static/$static.done"
  fi
  if [ "$first" = yes ] && [ "$(cat "$root/migrated" 2>/dev/null)" != "$migrations" ]; then
    manage migrate; echo "$migrations" >"$root/migrated"
  fi'
SWITCH='set -e; cd "$2"; ln -s "releases/$1" current.new; mv -T current.new current
  sudo -n apachectl graceful; cd releases; ls -1 | head -n -5 | xargs -r rm -rf'
BACK='set -e; cd "$1"; live=$(basename "$(readlink current)")
  before=$(ls -1 releases | grep -B1 -x "$live" | head -1); [ "$before" != "$live" ]
  ln -s "releases/$before" current.new; mv -T current.new current; sudo -n apachectl graceful'

call() { # HOST SCRIPT WORD...
  local host=$1 script=$2
  shift 2
  on "$host" "sh -c ${script@Q} sh $*"
}

build() {
  local host=$1 code=0 first=no
  if [ "$host" = "${hosts[0]}" ]; then first=yes; fi
  rsync -a --mkpath --link-dest="$ROOT/current/" "$clone/site/" "$host:$ROOT/releases/$rel/" 2>/dev/null
  call "$host" "$BUILD" "$rel" "$packages" "$static" "$migrations" "$first" "$ROOT" "$SHARED" || code=$?
  if [ "$code" = 42 ]; then
    rsync -a "$WHEELHOUSE/" "$host:$ROOT/wheelhouse/"
    call "$host" "$BUILD" "$rel" "$packages" "$static" "$migrations" "$first" "$ROOT" "$SHARED"
  else
    return "$code"
  fi
}

deploy() {
  fetch "$clone"
  rel=$(date -u +%Y%m%d%H%M%S)
  packages=$(key <"$clone/site/requirements.txt")
  static=$({ git -C "$clone" ls-tree HEAD site/guestbook/static site/config/settings/; echo "$packages"; } | key)
  migrations=$({ git -C "$clone" ls-tree -r HEAD site | grep /migrations/; echo "$packages"; } | key)
  each build
  each switch
}

switch() { call "$1" "$SWITCH" "$rel" "$ROOT"; }
back() { call "$1" "$BACK" "$ROOT"; }

send_static() {
  rsync -a --mkpath --link-dest="$ROOT/current/" "$pages/site/staticfiles/" "$1:$ROOT/releases/$rel/" 2>/dev/null
  on "$1" "cd $ROOT && ln -s releases/$rel current.new && mv -T current.new current \
    && cd releases && ls -1 | head -n -5 | xargs -r rm -rf"
}

static() {
  fetch "$pages"
  rel=$(date -u +%Y%m%d%H%M%S)
  (cd "$pages/site" && SECRET_KEY=none DATABASE_URL=sqlite://:memory: \
    DJANGO_SETTINGS_MODULE=config.settings.production \
    "$SITE_PYTHON" manage.py collectstatic --noinput -v0)
  each send_static
}

case "$1" in
  deploy) deploy ;;
  rollback) each back ;;
  static) static ;;
esac
