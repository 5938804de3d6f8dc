# shellcheck shell=bash
# What runs have done here: lines that are added by copy and rename, so that no reader meets half of one.

# record ROOT LINE              Adds a line to the journal; readers see all of it or nothing. A disk
# that is full must not keep a run from being closed: that is what the reserve is for.
record() {
  if ! add_line "$1/.deploy/journal" "$2" 2>/dev/null; then
    rm -f "$1/.deploy/reserve"
    add_line "$1/.deploy/journal" "$2"
  fi
}

# end_run ROOT RUN HOW          Writes down how a run ended, if it was begun here: one that was stopped
# before it could begin on this host has no end here either.
end_run() {
  grep -qs "^begin $2 " "$1/.deploy/journal" || return 0
  record "$1" "$3 $2"
}

add_line() {
  { if [ -e "$1" ]; then cat "$1"; fi; printf '%s\n' "$2"; } | replace_file "$1"
}

# trim_journal ROOT             Once it is long, it keeps its newest 128 KiB, what has not ended, and every
# run that made a release live that is still here: `look` and each new line read or copy all of it.
trim_journal() {
  local journal=$1/.deploy/journal kept
  [ -e "$journal" ] && [ "$(stat -c %s "$journal")" -gt 262144 ] || return 0
  kept=$({ ls "$1/releases" "$1/static/releases" 2>/dev/null || true; } |
    awk '
      what == "here" { here[$1]; next }
      what == "read" && $1 != "begin" { how[$2] = $1; size += length($0) + 1; next }
      what == "read" {
        size += length($0) + 1
        at[$2] = size
        for (i = 7; i <= NF; i++) if (substr($i, index($i, ">") + 1) in here) live[$2]
        next
      }
      !($2 in how) || size - at[$2] < 131072 || (how[$2] == "commit" && $2 in live)
    ' what=here - what=read "$journal" what=write "$journal") && [ -n "$kept" ] || return
  printf '%s\n' "$kept" | replace_file "$journal"
}
