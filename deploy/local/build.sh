#!/bin/sh
# What this machine makes for the hosts: `build.sh WORD TARGET ...`. Each word makes TARGET under
# another name beside it and renames it when it is whole, so that a target that is there is
# complete, whatever was interrupted, and two runs at once do not disturb each other.
set -eu
here=$(dirname "$0")

# export_code TARGET FOLDER TREE    With .pushed, the names of its files, by which a host finds them
# again among what is put beside them there; TARGET.sums has a digest of each. Where there are
# symbolic links, rsync alone is to send it, so neither is made.
export_code() {
  mkdir "$new"
  # Anywhere but at the top, git would look for the folder's name in the tree.
  git -C "$2/$(git -C "$2" rev-parse --show-cdup)" archive --format=tar --output="$new.tar" "$3"
  tar -xf "$new.tar" -C "$new"
  pointer=$(find "$new" -type f -size -2k -exec grep -lx 'version https://git-lfs.github.com/spec/v1' {} + | head -n 1)
  if [ -n "$pointer" ]; then
    echo "${pointer#"$new"/} is only a pointer to a file of Git LFS: git lfs install, git lfs pull; where" \
      "source is a folder, .gitattributes has to lie in it" >&2
    return 65
  fi
  if [ -n "$(find "$new" -type l -print -quit)" ]; then return 0; fi
  (cd "$new" && find . -type f -printf '%P\0' | LC_ALL=C sort -z >"$new.names" &&
    xargs -0 -r sha256sum -z -- <"$new.names" >"$new.sums" && mv "$new.names" .pushed)
  mv "$new.sums" "$1.sums"
}

# make_builder TARGET PYTHON            A virtualenv whose pip downloads and builds.
make_builder() { "$2" -m venv "$new"; }

# fetch_wheels TARGET SOURCE REQUIREMENTS BUILT PYTHON PIP_WORD...    The last words but one say how. BUILT:
# what is built of the code itself, with spaces between, if pip does not do that by the way.
fetch_wheels() {
  source=$2 requirements=$3 built=$4
  shift 4
  mkdir "$new"
  # A package that comes with the code is built where it lies, and leaves what it was built of.
  cp -a "$source" "$new.src"
  (cd "$new.src" && "$@" "$new" -q --no-input --disable-pip-version-check -r "$requirements") || return
  for package in $built; do
    [ ! -d "$new.src/$package" ] || (cd "$new.src" && built_of_code "$1" "$package") || return
  done
}

# built_of_code PYTHON FOLDER           A wheel for any Python: one of ours cannot compile for another.
built_of_code() {
  "$1" -m pip wheel -q --no-input --disable-pip-version-check --no-deps -w "$new.built" "./$2" || return
  for wheel in "$new.built"/*.whl; do
    case $wheel in *-none-any.whl) ;; *)
      echo "$2 has to be compiled by the hosts' own Python: set install = \"pip\" in [tool.deploy]" >&2
      return 65 ;;
    esac
  done
  mv "$new.built"/*.whl "$new"
}

# make_venv TARGET PYTHON SOURCE REQUIREMENTS
# Only its python is used: its other programs name the path under which it was made.
make_venv() {
  "$2" -m venv "$new"
  cp -a "$3" "$new.src"
  (cd "$new.src" && "$new/bin/python" -m pip install -q --no-input --disable-pip-version-check -r "$4")
}

# collect_static TARGET SOURCE PYTHON COLLECT SETTINGS STATIC_ROOT MODE OUR_PYTHON [BEFORE] [--brotli]
# What web hosts need of it, even if others serve the rest, is put into .onweb. What goes into a
# bucket is compressed by its storage or by the CDN in front of it, if at all.
collect_static() {
  cp -al "$2" "$new"
  if [ "$7" = storage ]; then
    (cd "$new" && PYTHONDONTWRITEBYTECODE=1 "$3" "$4" "$5" storage)
  else
    (cd "$new" && PYTHONDONTWRITEBYTECODE=1 "$3" "$4" "$5")
  fi
  if [ ! -e "$new/$6/.release-files" ]; then
    echo "static.root is $6, and STATIC_ROOT of $5 is another folder of the release" >&2
    return 65
  fi
  if [ "$7" != storage ]; then
    "$8" "$here/pack.py" "$new/$6" ${9:+"$9/$6"} ${10:+"${10}"}
  fi
  mkdir "$new/.onweb"
  for name in staticfiles.json robots.txt favicon.ico .hashed; do
    if [ -f "$new/$6/$name" ]; then cp -l "$new/$6/$name" "$new/.onweb/$name"; fi
  done
}

# same_files COLLECTED STATIC_ROOT HOST=DIGEST,... ...    Whether each static host has the files that
# these pages name. It may lack one only if names carry no digest, and that cannot be told.
same_files() {
  list=$1/$2/.hashed
  if [ ! -s "$list" ]; then
    echo "warning: names of static files carry no digest (ManifestStaticFilesStorage gives them one)," \
      "so nobody can tell whether the static hosts have what the new pages name"
    return 0
  fi
  digest=$(sha256sum <"$list" | cut -c1-16)
  shift 2
  for host in "$@"; do
    case ",${host#*=}," in
      *",$digest,"*) ;;
      *) echo "${host%%=*} does not have the static files of this release: fab -R static deploy-static"
         lacking=1 ;;
    esac
  done
  [ -z "${lacking-}" ]
}

# if_possible OTHERWISE COMMAND...      Says OTHERWISE if the command fails, or takes a minute, and is
# content; unless it has found out (exit code 65) what it was asked for.
if_possible() {
  otherwise=$1 code=0
  shift
  timeout 60 "$@" || code=$?
  [ "$code" != 65 ] || return 65
  [ "$code" = 0 ] || echo "warning: $otherwise"
}

# invalidate CHANGED COMMAND...    Tells a CDN which paths have other content now. Each run lists its
# own in a file CHANGED.*, which stays until the CDN has accepted it: what this run cannot tell it,
# the next one does. A list that comes while the command works is told by the run that it is of.
invalidate() {
  changed=$1
  shift
  mkdir -p "${changed%/*}"
  lists=$(find "${changed%/*}" -maxdepth 1 -type f -name "${changed##*/}*")
  paths=$(printf '%s' "$lists" | xargs -r -d '\n' cat --)
  if [ -z "$paths" ]; then
    echo "no file without a digest in its name has changed"
  elif printf '%s\n' "$paths" | sort -u | "$@"; then
    printf '%s' "$lists" | xargs -r -d '\n' rm -f --
  else
    echo "static.invalidate failed, and nothing was switched: $1 exited with $?; the next run repeats it"
    return 1
  fi
}

word=$1
shift
case $word in same_files | invalidate | if_possible)
  "$word" "$@"
  exit
  ;;
esac
target=$1
if [ -e "$target" ]; then exit 0; fi
mkdir -p "$(dirname "$target")"
# What a run that was killed has left there is nobody's after a day. What nobody has asked for in a month
# is old; a rename comes first, so that nothing is ever half there under its own name.
find "$(dirname "$target")" -maxdepth 1 -name '*.making-*' -mtime +0 -exec rm -rf {} +
find "$(dirname "$target")" -mindepth 1 -maxdepth 1 -type d ! -name '*.*' -mtime +30 -exec sh -c '
  for old; do
    if mv "$old" "$old.making-old" 2>/dev/null; then rm -rf "$old.making-old" "$old.sums"; fi
  done' sh {} +
making=$(mktemp -d "$target.making-XXXXXX")
trap 'rm -rf "$making"' EXIT
trap 'exit 143' HUP INT TERM
new=$making/new
"$word" "$@"
mv -T "$new" "$target" 2>/dev/null || [ -e "$target" ]
