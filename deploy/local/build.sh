#!/bin/sh
# What this machine makes for the hosts: `build.sh WORD TARGET ...`. Each word makes TARGET under
# another name beside it and renames it when it is whole, so that a target that is there is
# complete, whatever was interrupted, and two runs at once do not disturb each other.
set -eu


# export_code TARGET REPOSITORY TREE    With .pushed, the names of its files, by which a host finds them
# again among what is put beside them there; TARGET.sums has a digest of each. Where there are
# symbolic links, rsync alone is to send it, so neither is made.
export_code() {
  mkdir "$new"
  git -C "$2" archive --format=tar --output="$new.tar" "$3"
  tar -xf "$new.tar" -C "$new"
  if [ -n "$(find "$new" -type l -print -quit)" ]; then return 0; fi
  (cd "$new" && find . -type f -printf '%P\0' | LC_ALL=C sort -z >"$new.names" &&
    xargs -0 -r sha256sum -z -- <"$new.names" >"$new.sums" && mv "$new.names" .pushed)
  mv "$new.sums" "$1.sums"
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

# compress DIRECTORY [PYTHON]           Beside each text file a .gz, which the server sends as it is, and
# with a PYTHON that has the brotli package a .br; the same content makes the same bytes.
compress() {
  find "$1" -type f -size +1k \( -name '*.css' -o -name '*.js' -o -name '*.mjs' -o -name '*.svg' \
    -o -name '*.json' -o -name '*.html' -o -name '*.txt' -o -name '*.xml' -o -name '*.map' \) \
    ! -name staticfiles.json -exec gzip -9 -n -k -f {} +
  if [ -n "${2-}" ]; then "$2" "$(dirname "$0")/brotli_files.py" "$1"; fi
  [ -e "$1/.hashed" ] || return 0
  # shellcheck disable=SC2016  # the inner shell expands its own words
  (cd "$1" && xargs -0 -r sh -c '
    for name; do
      printf "%s\0" "$name"
      if [ -e "$name.gz" ]; then printf "%s\0" "$name.gz"; fi
      if [ -e "$name.br" ]; then printf "%s\0" "$name.br"; fi
    done' sh <.hashed >.hashed.new && mv .hashed.new .hashed)
}

# The digest of each file's content, with which a host can tell what was damaged.
write_sums() {
  (cd "$1" && find . -type f ! -path ./.hashed ! -path ./.release-files -printf '%P\0' |
    LC_ALL=C sort -z | xargs -0 -r sha256sum -- >"$1.sums")
  mv "$1.sums" "$1/.sums"
}

# collect_static TARGET SOURCE PYTHON COLLECT SETTINGS STATIC_ROOT MODE [PYTHON_WITH_BROTLI]
# What web hosts need of it, even if others serve the rest, is put into .onweb. What goes into a
# bucket is compressed by its storage or by the CDN in front of it, if at all.
collect_static() {
  cp -al "$2" "$new"
  if [ "$7" = storage ]; then
    (cd "$new" && PYTHONDONTWRITEBYTECODE=1 "$3" "$4" "$5" storage)
  else
    (cd "$new" && PYTHONDONTWRITEBYTECODE=1 "$3" "$4" "$5")
    compress "$new/$6" "${8-}"
    write_sums "$new/$6"
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

# invalidate CHANGED COMMAND...    Tells a CDN which paths have other content now. They stay in
# CHANGED until it has accepted them: what this run cannot tell it, the next one does.
invalidate() {
  changed=$1
  shift
  if [ ! -s "$changed" ]; then
    echo "no file without a digest in its name has changed"
  elif sort -u "$changed" | "$@"; then
    rm -f "$changed"
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
new=$target.$$
mkdir -p "$(dirname "$target")"
trap 'rm -rf "$new" "$new.tar" "$new.names" "$new.sums"' EXIT
"$word" "$@"
mv -T "$new" "$target" 2>/dev/null || [ -e "$target" ]
