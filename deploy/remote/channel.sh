# shellcheck shell=bash
# Takes scripts from the operator's side on standard input and answers with markers, for as long
# as that side is there; when it goes away, by end of file or by GONE seconds of silence,
# everything it had started here is ended. The name of every marker, a nonce, comes as the first
# line, not as an argument, so no other user of this host can see it.
#
#   run ID LENGTH   runs LENGTH bytes of script as a job     -> output, then "done ID CODE"
#   here ID LENGTH  the same, in this very process           -> output, then "done ID CODE"
#   stop ID         ends that job and all it has started
#   ping                                                     -> "alive"
#
# Four roles: this loop never waits for a job, so it always hears the operator; the warden, a
# child, waits for the job and reports; the job, in a process group of its own, is the script.

__gone=$2   # seconds
__grace=$3  # tenths of a second from TERM to KILL
__warden=
__job_id=
exec 9<&0 </dev/null 2>/dev/null
export LC_ALL=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
cd || cd /
trap '' PIPE USR1
trap '__leave' HUP INT TERM

# One write(2) each, so that a job's output cannot tear it.
__say() { printf '\036%s %s\n' "$__nonce" "$*"; }

# __take LENGTH      The script that follows, into __text. LENGTH counts bytes, hence LC_ALL=C.
__take() {
  local LC_ALL=C left=$1 part
  __text=
  while [ "$left" -gt 0 ]; do
    IFS= read -r -u 9 -t "$__gone" -N "$((left < 65536 ? left : 65536))" part || return 1
    __text+=$part
    left=$((left - ${#part}))
  done
}

__job() {
  trap - PIPE USR1 HUP INT TERM QUIT
  unset __nonce
  set -o pipefail
  cd || cd /
  eval "$__text"
}

# __watch ID         Reports only when nothing of the job's process group is left.
__watch() {
  local job code stopping=
  trap 'stopping=1' USR1
  set -m
  __job 2>&1 &
  job=$!
  set +m
  while :; do
    wait "$job"
    code=$?
    [ -n "$stopping" ] || break
    stopping=
    __end "$job"
  done
  if kill -0 -- "-$job"; then __end "$job"; fi
  __say "done" "$1" "$code"
}

# __find JOB         What of the job is alive, into __alive: its process group, their children, and
# whatever else is in this session, since programs like timeout(1) make groups of their own.
__find() {
  local file line pid more=1
  local -A parent group session
  for file in /proc/[0-9]*/stat; do
    line=
    IFS= read -r -d '' line <"$file"
    pid=${line%% *}
    # shellcheck disable=SC2086  # a state and numbers; the name before them may hold anything
    set -- "$1" ${line##*) }
    if [ -z "$pid" ] || [ "$2" = Z ]; then continue; fi
    parent[$pid]=$3 group[$pid]=$4 session[$pid]=$5
  done
  __alive=()
  local -A ours
  while [ -n "$more" ]; do
    more=
    for pid in "${!parent[@]}"; do
      if [ -n "${ours[$pid]}" ] || [ "$pid" = $$ ] || [ "$pid" = "$BASHPID" ]; then continue; fi
      if [ "${group[$pid]}" = "$1" ] || [ -n "${ours[${parent[$pid]}]}" ] ||
        { [ "${session[$pid]}" = $$ ] && [ "${parent[$pid]}" != $$ ] &&
          [ "${parent[$pid]}" != "$BASHPID" ]; }; then
        ours[$pid]=1 more=1 __alive+=("$pid")
      fi
    done
  done
  [ "${#__alive[@]}" -gt 0 ]
}

# __end JOB          TERM once, KILL after the grace. What belongs to root is out of reach.
__end() {
  local pid rounds=0 some
  local -A told
  while [ "$rounds" -lt "$((__grace + 50))" ] && __find "$1"; do
    some=
    for pid in "${__alive[@]}"; do
      if [ "$rounds" -ge "$__grace" ]; then kill -KILL "$pid" && some=1
      elif [ -z "${told[$pid]}" ]; then kill -TERM "$pid" && kill -CONT "$pid" && some=1
      else kill -0 "$pid" && some=1; fi
      told[$pid]=1
    done
    [ -n "$some" ] || return
    rounds=$((rounds + 1))
    sleep 0.1
  done
}

__leave() {
  local rounds=0
  while [ -n "$__warden" ] && kill -0 "$__warden"; do
    # Once more a second: the signal is lost on a warden that is not yet listening.
    if [ "$((rounds % 10))" = 0 ]; then kill -USR1 "$__warden"; fi
    rounds=$((rounds + 1))
    sleep 0.1
  done
  exit
}

IFS= read -r -u 9 -t "$__gone" __nonce || exit
__say ready 1 "$BASH_VERSION"
while read -r -u 9 -t "$__gone" __verb __id __length; do
  case $__verb in
    ping) __say alive ;;
    stop) if [ "$__id" = "$__job_id" ]; then kill -USR1 "$__warden"; fi ;;
    run)
      __take "$__length" || break
      __watch "$__id" 9<&- &
      __warden=$! __job_id=$__id
      ;;
    here)
      __take "$__length" || break
      eval "$__text" 2>&1
      __say "done" "$__id" "$?"
      ;;
  esac
done
__leave
