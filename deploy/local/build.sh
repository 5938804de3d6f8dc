#!/bin/sh
# What this machine makes for the hosts: `build.sh WORD TARGET ...`. Each word makes TARGET under
# another name beside it and renames it when it is whole, so that a target that is there is
# complete, whatever was interrupted, and two runs at once do not disturb each other.
set -eu

target=$2
new=$target.$$
mkdir -p "$(dirname "$target")"
trap 'rm -rf "$new" "$new.tar"' EXIT

# export_code TARGET REPOSITORY TREE
export_code() {
  mkdir "$new"
  git -C "$2" archive --format=tar --output="$new.tar" "$3"
  tar -xf "$new.tar" -C "$new"
}

# make_builder TARGET PYTHON            A virtualenv whose pip downloads and builds.
make_builder() { "$2" -m venv "$new"; }

# fetch_wheels TARGET SOURCE REQUIREMENTS PIP_WORD...    The last words but one say how.
fetch_wheels() {
  source=$2 requirements=$3
  shift 3
  mkdir "$new"
  (cd "$source" && "$@" "$new" -q --no-input --disable-pip-version-check -r "$requirements")
}

# make_venv TARGET PYTHON SOURCE REQUIREMENTS
# Only its python is used: its other programs name the path under which it was made.
make_venv() {
  "$2" -m venv "$new"
  (cd "$3" && "$new/bin/python" -m pip install -q --no-input --disable-pip-version-check -r "$4")
}

# collect_static TARGET SOURCE PYTHON COLLECT SETTINGS STATIC_ROOT
# What web hosts need of it, even if others serve the rest, is put into .onweb.
collect_static() {
  cp -al "$2" "$new"
  (cd "$new" && PYTHONDONTWRITEBYTECODE=1 "$3" "$4" "$5")
  mkdir "$new/.onweb"
  for name in staticfiles.json robots.txt favicon.ico; do
    if [ -f "$new/$6/$name" ]; then cp -l "$new/$6/$name" "$new/.onweb/$name"; fi
  done
}

if [ -e "$target" ]; then exit 0; fi
word=$1
shift
"$word" "$@"
mv -T "$new" "$target" 2>/dev/null || [ -e "$target" ]
