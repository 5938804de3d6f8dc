# shellcheck shell=bash
# Virtualenvs, built once for each key at the path where they stay.

# build_venv ROOT KEY PYTHON -r REQUIREMENTS    Packages are downloaded, or
# build_venv ROOT KEY PYTHON WHEELS             all these are installed: what is needed was found out
# where they were made, and nobody asks again what they need, or where it comes from.
build_venv() {
  local root=$1 venv=$1/venvs/$2 python=$3 wheel name version
  shift 3
  if [ -e "$venv/.complete" ]; then echo "venv is there already"; return 0; fi
  rm -rf "$venv"
  "$python" -m venv "$venv" || return 65
  if [ "$1" != -r ]; then
    set -- "$1"/*.whl
    [ -e "$1" ] || set --
    for wheel in "$@"; do
      IFS=- read -r name version _ <<<"${wheel##*/}"
      set -- "$@" "$name==$version"
      shift
    done
    [ "$#" = 0 ] || set -- --no-index --no-deps --find-links "${wheel%/*}" "$@"
  fi
  if [ "$#" -gt 0 ]; then
    "$venv/bin/pip" install --disable-pip-version-check --no-input --no-compile "$@" || return 65
  fi
  "$venv/bin/pip" check || return 65
  # pip would use one processor. As with pip, what a package brings that is no Python stays as it is.
  "$venv/bin/python" -m compileall -q -j 0 "$venv/lib" >/dev/null 2>&1 || :
  : >"$venv/.complete"
  rm -rf "$root/.deploy/wheels-${venv##*/}"
}

# remove_venvs ROOT KEY...      Those of them that no release runs on, whatever the plan thought, and what
# installs have left that failed.
remove_venvs() {
  local root=$1 key link venv
  shift
  rm -rf "${root:?}"/.deploy/wheels-*
  for venv in "$root"/venvs/*; do
    if [ -d "$venv" ] && [ ! -e "$venv/.complete" ]; then set -- "$@" "${venv##*/}"; fi
  done
  for key in "$@"; do
    for link in "$root"/releases/*/venv; do
      if [ "$link" -ef "$root/venvs/$key" ]; then continue 2; fi
    done
    rm -f "$root/venvs/$key/.complete"
    rm -rf "${root:?}/venvs/$key"
  done
}
