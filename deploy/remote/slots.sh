# shellcheck shell=bash
# The two groups of web processes. One serves visitors; the other is idle and takes the next
# release, loads it, and is asked, before the switch makes it the one that serves.

# load_slot ROOT NAME SLOT ID PROCESSES SECONDS    Lets the processes come anew, and does not wait:
# Apache looks once a second which of its children are gone. They load the release once it is
# sealed; one that has waited too long for that says that it is empty.
load_slot() {
  begin_slot "$1" "$2" "$3" "$4" && printf '%s\n' "$4" >"$1/.deploy/loading-$3"
}

# start_slot ROOT NAME SLOT ID PROCESSES SECONDS
start_slot() {
  local loaded failed empty size begun=
  { IFS= read -r begun <"$1/.deploy/loading-$3"; } 2>/dev/null
  rm -f "$1/.deploy/loading-$3"
  count_loaded "$1" "$(slot_title "$2" "$3")" "$3" "$4"
  slot_size "$2" "$5"
  if [ "$loaded" -ge "$size" ]; then echo "already warm"; return 0; fi
  if [ "$begun" = "$4" ] && [ -z "$empty" ] && [ "$(readlink "$1/slots/$3")" = "../releases/$4" ]; then
    wait_slot "$@"
  else restart_in_slot "$@"; fi
}

# ensure_slot ROOT NAME SLOT ID PROCESSES SECONDS   For a release that may be live in that slot: its
# processes are waited for, and started anew only if the slot is another's or they do not come.
ensure_slot() {
  if [ "$(readlink "$1/slots/$3")" = "../releases/$4" ] && wait_slot "$@"; then return 0; fi
  start_slot "$@"
}

# restart_in_slot ROOT NAME SLOT ID PROCESSES SECONDS   The same with new processes in any case.
restart_in_slot() {
  begin_slot "$1" "$2" "$3" "$4" && wait_slot "$@"
}

begin_slot() {
  local root=$1 name=$2 slot=$3 id=$4
  link_into "$root/slots/$slot" "../releases/$id" || return 74
  rm -f "$root/run/$slot"-* "$root/.deploy/loading-$slot"
  restart_slot "$name" "$slot"
}

# no_migrations_pending ROOT SLOT     As the processes of the slot found when they loaded.
no_migrations_pending() {
  local names
  names=$(find "$1/run" -maxdepth 1 -type f -name "$2-*" -exec cat {} + 2>/dev/null | awk '$1 == "pending" {print $2}' | sort -u)
  [ -n "$names" ] || return 0
  echo "the database lacks migrations that it was thought to have: $(echo "$names" | tr '\n' ' ')"
  echo "fab db.migrate --release $(basename "$(readlink "$1/slots/$2")") runs them"
  return 65
}

# mark_slot ROOT ID SLOT        Says which slot serves the release once it is live. On the release
# that is live already, this is the switch: one file that is there or not.
mark_slot() {
  if [ "$3" = green ]; then : >"$1/releases/$2/.slot-green"
  else rm -f "$1/releases/$2/.slot-green"; fi || return 74
}

restart_slot() {
  local code=0
  timeout 30 sudo -n /usr/local/sbin/deploy-root restart-slot "$1" "$2" || code=$?
  case $code in
    0) return ;;
    1) sudo_refused "to restart slot $2" ;;
    *) echo "slot $2 could not be restarted (exit code $code)" ;;
  esac
  return 65
}

# count_loaded ROOT TITLE SLOT ID    Into `loaded`: how many processes of the slot say that they loaded
# the release; into `failed` and `empty`: the file of one that could not, or that gave up waiting.
# Starts no program, so that the processes that are waited for have the host to themselves.
count_loaded() {
  local file said
  loaded=0 failed='' empty=''
  for file in "$1/run/$3"-*; do
    said=
    # The site's own user writes here, and a pipe in the place of a file would keep us for ever.
    if [ ! -f "$file" ]; then continue; fi
    { IFS= read -r said <"$file"; } 2>/dev/null
    case $said in
      "loaded $4") if slot_process "$2" "${file##*-}"; then loaded=$((loaded + 1)); fi ;;
      "failed $4") failed=$file ;;
      empty) if slot_process "$2" "${file##*-}"; then empty=$file; fi ;;
    esac
  done
}

# slot_size NAME PROCESSES      Into `size`: how many processes a slot has as Apache was told, which is
# not what settings say that were never installed: going back must not wait for those.
slot_size() {
  local file line
  size=$2
  file=$(server_file apache "$1")
  [ -r "$file" ] || return 0
  while IFS= read -r line; do
    if [[ $line =~ ^\ *processes=([0-9]+)\ threads= ]]; then size=${BASH_REMATCH[1]}; fi
  done <"$file"
}

wait_slot() {
  local root=$1 slot=$3 id=$4 seconds=$6 until=$((SECONDS + $6)) title loaded failed empty size
  title=$(slot_title "$2" "$slot")
  slot_size "$2" "$5"
  while count_loaded "$root" "$title" "$slot" "$id" && [ "$loaded" -lt "$size" ]; do
    if [ -n "$failed" ]; then
      echo "the site does not load:"
      tail -n +2 "$failed"
      return 65
    fi
    if [ "$SECONDS" -ge "$until" ]; then
      echo "only $loaded of $size processes loaded $id within $seconds s"
      echo "Apache's error log of the site says why; is Apache running?"
      return 65
    fi
    sleep 0.05
  done
}

# ask_back URL_PORT HOST_HEADER ID TIMES PATH...   The same as ask, where what was live is live again: it may
# refuse what is asked as what was to be live would be, such as under another host name.
ask_back() {
  local may_refuse=yes
  ask "$@"
}

# ask URL_PORT HOST_HEADER ID TIMES PATH...   Every path must answer, from that release, TIMES in a row.
ask() {
  local port=$1 name=$2 id=$3 times=$4 path
  shift 4
  for path in "$@"; do
    ask_path "$port" "$name" "$id" "$times" "$path" || return
  done
}

ask_path() {
  local port=$1 name=$2 id=$3 times=$4 path=$5 head code from
  while [ "$times" -gt 0 ]; do
    head=$(curl --silent --show-error --max-time 30 --output /dev/null --dump-header - \
      --header "Host: $name" --header "X-Deploy-Asks: yes" "http://127.0.0.1:$port$path" 2>&1) || {
      echo "$path does not answer: $head"
      return 65
    }
    read_head "$head"
    case $code${may_refuse-} in
      2??*|3??*|4??yes) ;;
      *) echo "$path answers $code from release ${from:-unknown}, not 2xx or 3xx"; return 65 ;;
    esac
    if [ "$from" != "$id" ]; then
      echo "$path answers from release ${from:-unknown}, not from $id"
      return 65
    fi
    times=$((times - 1))
  done
}

# read_head TEXT                Of the head of an answer, into `code` and `from`: its status, and the
# release that made it.
read_head() {
  local line
  code='' from=''
  while IFS= read -r line; do
    line=${line%$'\r'}
    case ${line,,} in
      http/*) read -r _ code _ <<<"$line" ;;
      x-release:*) read -r from <<<"${line#*:}" ;;
    esac
  done <<<"$1"
}

# served URL_PORT HOST_HEADER PATH   The release that really answers visitors, or nothing.
served() {
  { curl --silent --max-time 10 --output /dev/null --dump-header - --header "Host: $2" \
    --header "X-Deploy-Asks: yes" "http://127.0.0.1:$1$3" 2>/dev/null || true; } |
    tr -d '\r' | awk 'tolower($1)=="x-release:" {print "served " $2}'
}
