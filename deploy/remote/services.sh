# shellcheck shell=bash
# Workers and schedulers. They are restarted by systemd through the one program that may act as
# root, or by a command of the site's own.

# may_restart NAME UNIT...
may_restart() {
  local name=$1 unit
  shift
  for unit in "$@"; do
    sudo -n -l /usr/local/sbin/deploy-root restart-unit "$name" "$unit" >/dev/null 2>&1 && continue
    sudo_refused "to restart $unit"
    return 65
  done
}

# restart_units NAME UNIT...    All at once: each is watched for some seconds after its start.
restart_units() {
  local name=$1 unit pids=() pid code=0
  shift
  for unit in "$@"; do
    restart_unit "$name" "$unit" &
    pids+=("$!")
  done
  for pid in "${pids[@]}"; do
    wait "$pid" || code=65
  done
  return "$code"
}

restart_unit() {
  local said code=0
  said=$(timeout 280 sudo -n /usr/local/sbin/deploy-root restart-unit "$1" "$2" 2>&1) || code=$?
  [ "$code" != 1 ] || sudo_refused "to restart $2"
  [ "$code" = 0 ] || [ "$code" = 1 ] || printf '%s\n' "$said"
  return "$code"
}

# restart_by ROOT ID COMMAND...     In the release, with RELEASE in the environment. What it leaves
# running must not keep the lock of the run, hence without descriptor 8.
restart_by() {
  local root=$1 id=$2 code=0
  shift 2
  (cd "$root/releases/$id" && RELEASE=$id "$@") </dev/null 8<&- || code=$?
  [ "$code" = 0 ] || say_and_fail 65 "the command that restarts services ended with $code"
}

# or_warn ROOT WORD...          A failure of the word becomes a warning. What it says goes into a file:
# a service that keeps its output open would keep a pipe open, too.
or_warn() {
  local said=$1/.deploy/services.said
  shift
  "$@" >"$said" 2>&1 || echo "warning: $(tail -n 5 "$said" | tr '\n' ' ')"
}
