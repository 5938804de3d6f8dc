# shellcheck shell=bash
# Who may change this host. The lock is a file that appears complete or not at all, by link(2),
# and on which the run that owns it holds a flock through descriptor 8. Every job of that run
# inherits the descriptor, so the flock is free only when nothing of the run is left here: a
# lock whose flock is free belongs to nobody alive, and no late command of its owner can come.

# take_lock ROOT TOKEN TEXT     Runs in the loop itself, not in a job. 73: somebody has it.
take_lock() {
  local dir=$1/.deploy token=$2 said=''
  [ -d "$dir" ] || { echo "$1 is not prepared"; return 74; }
  write_lock "$dir" "$token" "$3" || return 74
  exec 8<"$dir/lock.$token"
  # Whoever looks for what was left behind may hold it for an instant. Without it, it is no lock.
  if flock -w 10 8; then
    for _ in 1 2 3; do
      if ln "$dir/lock.$token" "$dir/lock" 2>/dev/null; then
        rm -f "$dir/lock.$token"
        left_locks "$1" | xargs -0 -r rm -f --
        # Neither of them is a reason not to begin: a full disk must not keep anybody from going back.
        { trim_journal "$1"; keep_reserve "$dir"; } 2>/dev/null
        return 0
      fi
      # Whoever had it may just have given it back: then there is nobody to name, and a lock to take.
      said=$(look_lock "$1")
      if [ -n "$said" ]; then break; fi
    done
  fi
  rm -f "$dir/lock.$token"
  exec 8<&-
  echo "$said"
  return 73
}

# write_lock DIR TOKEN TEXT     What is to become the lock. A full disk must not keep anybody from
# going back, or a run from being ended: that is what the reserve is for.
write_lock() {
  printf '%s\n' "$3" >"$1/lock.$2" && return
  rm -f "$1/reserve"
  printf '%s\n' "$3" >"$1/lock.$2" || { rm -f "$1/lock.$2"; return 74; }
}

# keep_reserve DIR              What is given up when the disk is full: room for the journal, which is
# copied for each line that is added.
keep_reserve() {
  local size=$(($(cat "$1/journal" 2>/dev/null | wc -c) * 2 + 65536)) has=0
  if [ -e "$1/reserve" ]; then has=$(stat -c %s "$1/reserve"); fi
  if [ "$has" -lt $((size / 2)) ]; then
    head -c $((size - has)) /dev/zero >>"$1/reserve" || truncate -s "$has" "$1/reserve"
  fi
}

# give_lock ROOT                Takes the file away only if it is still ours.
give_lock() {
  if holds_lock "$1"; then rm -f "$1/.deploy/lock"; fi
  exec 8<&-
}

# holds_lock ROOT
holds_lock() {
  [ "$1/.deploy/lock" -ef "/proc/$BASHPID/fd/8" ]
}

# fenced ROOT WORD...           Does nothing, and says 75, when the lock is no longer ours.
fenced() {
  holds_lock "$1" || { echo "this run no longer holds the lock of $1: nothing was done"; return 75; }
  shift
  "$@"
}

# take_over ROOT TOKEN TEXT     Like take_lock, also where the run that owned the lock is gone. While
# the old lock's flock is ours, nobody else can take it over; its owner cannot come back.
take_over() {
  local lock=$1/.deploy/lock dir=$1/.deploy token=$2
  [ -e "$lock" ] || { take_lock "$@"; return; }
  exec 7<"$lock"
  # Whoever looks, as another recover does, holds it for an instant; a run, for as long as it lives.
  if ! flock -w 1 7 || ! [ "$lock" -ef "/proc/$BASHPID/fd/7" ]; then
    exec 7<&-
    look_lock "$1"
    return 73
  fi
  write_lock "$dir" "$token" "$3" || return 74
  exec 8<"$dir/lock.$token"
  flock -w 10 8 || { rm -f "$dir/lock.$token"; exec 7<&-; return 74; }
  mv -fT "$dir/lock.$token" "$lock"
  exec 7<&-
  left_locks "$1" | xargs -0 -r rm -f --
}

# left_locks ROOT               What was to become a lock when its run, or this host, died. Nobody can
# have such a file any more: whoever makes one holds its flock, or gets no lock while we have it.
left_locks() (
  for file in "$1"/.deploy/lock.*; do
    if [ -e "$file" ] && exec 7<"$file" && flock -n -s 7; then printf '%s\0' "$file"; fi
  done
) 2>/dev/null

# freeze ROOT TEXT / thaw ROOT  Nobody may start a run here until it is lifted.
freeze() { printf '%s\n' "$2" | replace_file "$1/.deploy/frozen"; }
thaw() {
  if [ -e "$1/.deploy/frozen" ]; then rm -f "$1/.deploy/frozen"; echo "lifted"; else echo "was not frozen"; fi
}
