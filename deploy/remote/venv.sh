# shellcheck shell=bash
# Virtualenvs, built once for each key at the path where they stay.

# build_venv ROOT KEY PYTHON REQUIREMENTS PIP_ARGUMENT...
build_venv() {
  local root=$1 venv=$1/venvs/$2 python=$3 requirements=$4
  shift 4
  if [ -e "$venv/.complete" ]; then echo "venv is there already"; return 0; fi
  rm -rf "$venv"
  "$python" -m venv "$venv" || return 65
  (cd "$(dirname "$requirements")" &&
    "$venv/bin/pip" install --disable-pip-version-check --no-input --no-compile "$@" \
      -r "$requirements") || return 65
  "$venv/bin/pip" check || return 65
  # pip would use one processor. As with pip, what a package brings that is no Python stays as it is.
  "$venv/bin/python" -m compileall -q -j 0 "$venv/lib" >/dev/null 2>&1 || :
  : >"$venv/.complete"
  rm -rf "$root/.deploy/wheels-${venv##*/}"
}

# remove_venvs ROOT KEY...      Those of them that no release runs on, whatever the plan thought.
remove_venvs() {
  local root=$1 key link
  shift
  for key in "$@"; do
    for link in "$root"/releases/*/venv; do
      if [ "$link" -ef "$root/venvs/$key" ]; then continue 2; fi
    done
    rm -f "$root/venvs/$key/.complete"
    rm -rf "${root:?}/venvs/$key"
  done
}
