# shellcheck shell=bash
# What there is on this host, one "key value" line a fact. Changes nothing.

# look ROOT NAME [PYTHON]       Without PYTHON nothing of what does not change within a run: programs,
# rights and Python.
look() {
  local root=$1 name=$2 dir id tool
  echo "user $(id -un)"
  if [ -n "$3" ]; then look_programs "$3"; fi
  if [ ! -d "$root/.deploy" ]; then echo "root missing"; return 0; fi
  if [ -w "$root" ] && [ -w "$root/.deploy" ]; then echo "root ok"; else echo "root readonly"; fi
  echo "free $(df -Pk "$root" | awk 'NR==2 {print $4}')"
  look_link current "$root/current"
  look_link static-current "$root/static/current"
  look_releases release "$root/releases"
  look_releases static-release "$root/static/releases"
  for dir in "$root"/venvs/*/; do
    if [ -e "$dir/.complete" ]; then id=${dir%/}; echo "venv ${id##*/}"; fi
  done
  if [ -e "$root/shared/env" ]; then echo "env-mode $(stat -c %a "$root/shared/env")"; fi
  look_slots "$root" "$name"
  if [ -e "$root/.deploy/migrated" ]; then echo "migrated $(cat "$root/.deploy/migrated")"; fi
  for dir in apache nginx; do
    tool=$(server_file "$dir" "$name")
    if [ ! -r "$tool" ]; then continue; fi
    echo "installed $dir $(sha256sum <"$tool" | cut -c1-64)"
    grep -qF "$root/" "$tool" || echo "elsewhere $dir"
  done
  if [ -d "$root/entry" ]; then echo "installed entry $(digest_entry "$root/entry")"; fi
  if [ -e "$root/.deploy/journal" ]; then sed 's/^/journal /' "$root/.deploy/journal"; fi
  if [ -e "$root/.deploy/stage" ]; then echo "stage $(head -n 1 "$root/.deploy/stage")"; fi
  if [ -e "$root/.deploy/frozen" ]; then echo "frozen $(head -n 1 "$root/.deploy/frozen")"; fi
  if [ -e "$root/draining" ]; then echo "draining yes"; fi
  if [ -e "$root/maintenance/503.html" ]; then echo "maintenance $(head -n 1 "$root/maintenance/why")"; fi
  look_lock "$root"
  if [ -n "$(left_locks "$root" | tr '\0' x)" ]; then echo "left-lock yes"; fi
}

# look_programs PYTHON
look_programs() {
  local tool
  for tool in rsync curl flock timeout sudo; do
    command -v "$tool" >/dev/null || echo "lacks $tool"
  done
  # Only where deploy-root is: sudo mails root about users for whom it has no rule at all.
  if [ -x /usr/local/sbin/deploy-root ] && ! sudo -n -l >/dev/null 2>&1; then echo "lacks sudo-rights"; fi
  # As after a mount with hidepid: then no process of a slot is ever seen, and each counts as gone.
  if [ ! -r /proc/1/cmdline ]; then echo "lacks proc"; fi
  look_python "$1"
}

# digest_entry DIRECTORY        One digest of all files there, as workshop.py makes it of ours.
digest_entry() (
  cd "$1" && find . -name __pycache__ -prune -o -type f -printf '%P\0' | sort -z |
    xargs -0 -r sha256sum | sha256sum | cut -c1-64
)

look_link() {
  if [ -L "$2" ]; then echo "$1 $(basename "$(readlink "$2")")"
  elif [ -e "$2" ]; then echo "$1 directory"; fi
}

look_releases() {
  local dir id
  for dir in "$2"/[0-9]*/; do
    [ -d "$dir" ] || continue
    id=${dir%/}; id=${id##*/}
    if [ -e "$dir/.slot-green" ]; then echo "green $id"; fi
    if [ -e "$dir/.files" ]; then echo "$1-files $id $(cat "$dir/.files")"; fi
    if [ -e "$dir/release.json" ]; then echo "$1 $id $(head -c 65536 "$dir/release.json")"
    else echo "$1 $id partial"; fi
  done
}

look_python() {
  if ! command -v "$1" >/dev/null; then echo "lacks $1"; return 0; fi
  "$1" -IS - <<'PY' 2>/dev/null || echo "lacks $1"
import importlib.util, platform, sys, sysconfig
libc = "-".join(platform.libc_ver())
print("python %d.%d.%d %s %s" % (*sys.version_info[:3], sysconfig.get_platform(), libc or "-"))
if not (importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv")):
    print("lacks python3-venv")
PY
}

look_slots() {
  local root=$1 name=$2 slot file pid title
  for slot in blue green; do
    [ -L "$root/slots/$slot" ] || continue
    title=$(slot_title "$name" "$slot")
    echo "slot $slot $(basename "$(readlink "$root/slots/$slot")")"
    for file in "$root/run/$slot"-*; do
      pid=${file##*-}
      if [ -f "$file" ] && slot_process "$title" "$pid"; then
        echo "process $slot $pid $(head -n 1 "$file")"
      fi
    done
  done
  if [ -e "$root/current/.slot-green" ]; then echo "live-slot green"; else echo "live-slot blue"; fi
}

# slot_title NAME SLOT          What Apache calls the processes of the slot.
slot_title() {
  local sum
  sum=$(printf '%s' "$1" | sha256sum)
  echo "(${sum:0:6}-$2)"
}

# slot_process TITLE PID: is it alive, and of that slot? A status file may outlive its process.
slot_process() {
  local words
  { IFS= read -r -d '' words <"/proc/$2/cmdline"; } 2>/dev/null || return 1
  case $words in "$1" | "$1 "*) ;; *) return 1 ;; esac
}

# Looks at one and the same file throughout: a lock may be given back at any moment.
look_lock() (
  exec 7<"$1/.deploy/lock" || exit 0
  if flock -n -s 7; then state=gone; else state=alive; fi
  text=$(head -n 1 <&7)
  if [ "$1/.deploy/lock" -ef "/proc/$BASHPID/fd/7" ]; then echo "lock $state $text"; fi
) 2>/dev/null
