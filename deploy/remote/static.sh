# shellcheck shell=bash
# Collected files on a static host. Files with a hash in their name are also linked into pool/,
# where they stay reachable for pages of every release that is kept.

# seal_static STATIC ID JSON
seal_static() {
  local release=$1/releases/$2
  if [ -e "$release/.hashed" ]; then
    (cd "$release" && xargs -0 -r cp -l -n --parents -t "$1/pool" -- <.hashed) || return 74
    mend_pool "$1/pool" "$release" || return 74
  fi
  digest_files "$release" "$release" || return 74
  printf '%s\n' "$2" >"$release/.release" || return 74
  printf '%s\n' "$3" | replace_file "$release/release.json"
}

# mend_pool POOL RELEASE        What was damaged in the pool is replaced, each file by one rename.
mend_pool() {
  local name
  while IFS= read -r -d '' name; do
    if [ "$1/$name" -ef "$2/$name" ] || cmp -s -- "$1/$name" "$2/$name"; then continue; fi
    ln -f -- "$2/$name" "$1/.mended" && mv -fT -- "$1/.mended" "$1/$name" || return
  done <"$2/.hashed"
}

# check_files STATIC ID         Whether release ID is whole, and what its pages name is served as it was
# made, from the release itself or, if another one is live, from the pool.
check_files() {
  local release=$1/releases/$2 bad name
  [ -e "$release/.sums" ] || say_and_fail 65 "static release $2 is not here" || return
  bad=$(
    cd "$release" && sha256sum --check --quiet .sums 2>/dev/null
    if [ -s .hashed ]; then
      cd "$1/pool" && sha256sum --check --quiet --ignore-missing "$release/.sums" 2>/dev/null
      while IFS= read -r -d '' name; do
        if [ ! -e "$name" ] && [ ! -e "$1/current/$name" ]; then echo "$name: is not served"; fi
      done <"$release/.hashed"
    fi
  )
  if [ -z "$bad" ]; then echo "$(wc -l <"$release/.sums") files of $2 are there, and as they were made"; return; fi
  echo "$(printf '%s\n' "$bad" | wc -l) faults in static release $2, the first of them:"
  printf '%s\n' "$bad" | head -n 10
  echo "fab -R static deploy-static --revision ${2#*-} sends them again"
  return 65
}

# visit_static STATIC ID PORT HOST_HEADER URL    Whether visitors get some files of release ID.
visit_static() {
  local release=$1/releases/$2 name count=0
  while IFS= read -r name; do
    if ! curl --silent --fail --max-time 10 --header "Host: $4" "http://127.0.0.1:$3$5$name" |
      cmp -s - "$release/$name"; then
      echo "visitors do not get $5$name of $2 as it was made, though it is there"
      return 65
    fi
    count=$((count + 1))
  done < <(some_files "$release")
  echo "$count of these files were asked for over HTTP, and came as they are"
}

# some_files RELEASE            At most 20 of its files, evenly spread, whose names are fit for a URL.
some_files() {
  local list=$1/.hashed
  [ -s "$list" ] || list=$1/.release-files
  tr '\0\n' '\n ' <"$list" | grep -x '[A-Za-z0-9._/-]*' | grep -v '\.gz$\|\.br$' |
    awk '{ name[NR] = $0 } END { for (i = 0; i < 20 && i < NR; i++) print name[int(i * (NR < 20 ? 1 : NR / 20)) + 1] }'
}

# ask_static PORT HOST_HEADER ID
ask_static() {
  local answer
  answer=$(curl --silent --show-error --max-time 10 --header "Host: $2" \
    "http://127.0.0.1:$1/-/release" 2>&1 | head -c 200)
  if [ "$answer" != "$3" ]; then
    echo "the static server answers from release ${answer:-unknown}, not from $3"
    return 65
  fi
}

# served_static PORT HOST_HEADER
served_static() {
  local answer
  answer=$(curl --silent --max-time 10 --header "Host: $2" "http://127.0.0.1:$1/-/release" | head -c 40)
  case $answer in [0-9][0-9][0-9][0-9][0-9][0-9]-*) echo "served-static $answer" ;; esac
}

# prune_pool STATIC      Files that no kept release names any more.
prune_pool() {
  local list
  list=$(mktemp "$1/pool.XXXXXX") || return 74
  (cd "$1/releases" && find . -mindepth 2 -maxdepth 2 -name .hashed -exec cat {} +) | sort -zu >"$list" || {
    rm -f "$list"
    echo "the list of what is needed cannot be written, so nothing was taken away"
    return 74
  }
  (cd "$1/pool" && find . -type f -printf '%P\0' | sort -z | comm -z -23 - "$list" | xargs -0 -r rm -f --)
  rm -f "$list"
  find "$1/pool" -mindepth 1 -type d -empty -delete
}
