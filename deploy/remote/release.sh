# shellcheck shell=bash
# Making a release complete, switching to it, and taking old ones away.

say_and_fail() { echo "$2"; return "$1"; }

# attempt WORD...               Its failure ends nothing: what comes of it is asked later.
attempt() { "$@" || true; }

# replace_file FILE             Standard input becomes the file, by one rename.
replace_file() {
  local new=$1.new
  if cat >"$new" && sync "$new" && mv -fT "$new" "$1"; then return 0; fi
  rm -f "$new"
  return 74
}

# link_into LINK TARGET         One rename; a leftover of an interrupted run does not matter.
link_into() {
  rm -rf "$1.new" && ln -s "$2" "$1.new" && mv -fT "$1.new" "$1"
}

# link_shared ROOT ID PATH...   Paths of the release that lead into shared/.
link_shared() {
  local root=$1 release=$1/releases/$2 path up
  shift 2
  for path in "$@"; do
    mkdir -p "$root/shared/$path" "$(dirname "$release/$path")" || return 74
    if [ -d "$release/$path" ] && [ ! -L "$release/$path" ]; then
      rmdir "$release/$path" 2>/dev/null ||
        say_and_fail 65 "$path is in the code, but is also named in shared: it would hide the code's" ||
        return
    fi
    up=../..$(printf '%s' "/$path" | sed 's:[^/]*$::; s:[^/]\{1,\}:..:g; s:/$::')
    link_into "$release/$path" "$up/shared/$path" || return 74
  done
}

# digest_files DIRECTORY RELEASE    Names what static files there are, by their names with digests.
digest_files() {
  if [ -s "$1/.hashed" ]; then sha256sum <"$1/.hashed" | cut -c1-16 >"$2/.files"; fi
}

# know_migrations ROOT ID JSON  What is written of the migrations of another release holds for this
# one as well, if theirs are equal: it is kept by each, as releases are taken away one by one.
know_migrations() {
  local key other
  key=$(printf '%s' "$3" | grep -o '"migrations": "[^"]\{1,\}"') || return 0
  for other in "$1"/releases/[0-9]*; do
    if [ -s "$other/.migrations" ] && grep -qsF "$key" "$other/release.json"; then
      # Of another owner, as after a change of the deploy user, it may not be linked.
      ln -f "$other/.migrations" "$1/releases/$2/.migrations" 2>/dev/null ||
        cp "$other/.migrations" "$1/releases/$2/.migrations"
      return
    fi
  done
}

# push_delta FROM RELEASE DIGEST    FROM's code becomes that of RELEASE, which is empty: what has gone, and
# what is new, come on standard input, each as a line of base64. 76, and nothing is left behind,
# if FROM is not what it was when it was pushed, or if the whole is not what DIGEST says.
push_delta() {
  if apply_delta "$1" "$2" && [ "$(digest_code "$2")" = "$3" ]; then return 0; fi
  rm -rf "$2" && mkdir -p "$2"
  return 76
}

apply_delta() {
  local gone new
  IFS= read -r gone && IFS= read -r new && [ -s "$1/.pushed" ] || return
  (cd "$1" && { printf '.pushed\0'; cat .pushed; } | xargs -0 cp -al --parents -t "$2" --) &&
    (cd "$2" && printf %s "$gone" | base64 -d | xargs -0 -r rm -f -- &&
      find . -mindepth 1 -type d -empty -delete &&
      printf %s "$new" | base64 -d | tar -xzmp --no-same-owner --unlink-first)
} 2>/dev/null

# digest_code RELEASE           One digest of the contents and the modes of what was pushed, if there is
# nothing else.
digest_code() {
  (cd "$1" && [ "$(find . ! -type d -printf x)" = "$(printf x; tr -cd '\0' <.pushed | tr '\0' x)" ] && {
    xargs -0 -r sha256sum -z -- <.pushed && xargs -0 -r stat -c %a -- <.pushed
  } | sha256sum | cut -c1-64)
}

# link_compiled FROM RELEASE     What is compiled of files that the release has in common with FROM.
# Only of the very same files: Python would take what has the same time and size for the same.
# What cannot be linked, as root's files cannot, is compiled like the rest.
link_compiled() {
  local from=$1 to=$2 made source
  [ -d "$from" ] || return 0
  (cd "$from" && find . \( -name venv -o -name node_modules \) -prune -o \
    -path '*/__pycache__/*.pyc' -print0) |
    while IFS= read -r -d '' made; do
      source=${made%/__pycache__/*}/${made##*/__pycache__/}
      source=${source%.*.pyc}.py
      if [ "$from/$source" -ef "$to/$source" ]; then printf '%s\0' "$made"; fi
    done | (cd "$from" && xargs -0 -r cp -l -n --parents -t "$to" -- 2>/dev/null)
}

# seal ROOT ID STATIC_ROOT JSON The last act of preparing: release.json says it is complete.
seal() {
  local release=$1/releases/$2
  link_compiled "$1/current" "$release"
  "$release/venv/bin/python" -m compileall -q -x '(^|/)(venv|node_modules)(/|$)' "$release" || return 65
  digest_files "$release/$3" "$release" || return 74
  know_migrations "$1" "$2" "$4" || return 74
  printf '%s\n' "$4" | replace_file "$release/release.json"
}

# switch DIR ID                 DIR/current becomes that release, by one rename(2).
switch() {
  [ -e "$1/releases/$2/release.json" ] ||
    say_and_fail 65 "release $2 is not complete here: not switched" || return
  if [ -e "$1/current" ] && [ ! -L "$1/current" ]; then
    say_and_fail 65 "$1/current is not a link: not switched"
    return
  fi
  link_into "$1/current" "releases/$2"
}

# unswitch DIR                  Before the first release there was no current.
unswitch() { rm -f "$1/current"; }

# remember FILE TEXT
remember() { printf '%s\n' "$2" | replace_file "$1"; }

# remove_releases DIR ID...     Out of the way by one rename first, so none is ever half there.
remove_releases() {
  local dir=$1/releases id
  shift
  for id in "$@"; do
    if [ -e "$dir/$id" ]; then mv -T "$dir/$id" "$dir/.trash-$id" || return 74; fi
  done
  rm -rf "$dir"/.trash-*
}
