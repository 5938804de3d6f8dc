# shellcheck shell=bash
# The secret environment. Its values come on standard input and never leave the host again.

# put_env ROOT GROUP            The secret environment becomes what comes on standard input.
put_env() {
  local env=$1/shared/env
  ( # What is interrupted leaves no second copy, also when nobody reads what bash says of it.
    trap '' PIPE
    trap 'trap "" TERM; rm -f "$env.new"; exit 74' TERM
    umask 027
    cat >"$env.new" && chgrp "$2" "$env.new" && mv -fT "$env.new" "$env" && exit
    rm -f "$env.new"
    exit 74
  ) || return 74
}

# merge_env ROOT GROUP          Lines on standard input take the place of those of the same names.
merge_env() {
  local env=$1/shared/env text
  [ -e "$env" ] || { put_env "$@"; return; }
  text=$(awk '
    function name(line) {
      sub(/^[ \t]*(export[ \t]+)?/, "", line)
      return match(line, /^[A-Za-z_][A-Za-z0-9_]*=/) ? substr(line, 1, RLENGTH - 1) : ""
    }
    !old { lines[++count] = $0; if (name($0) != "") new[name($0)] = 1; next }
    !(name($0) in new) { print }
    END { for (i = 1; i <= count; i++) print lines[i] }
  ' - old=1 "$env") || return 74
  printf '%s\n' "$text" | put_env "$1" "$2"
}

# state_env ROOT                Who may read it; then as digest_env.
state_env() {
  if [ ! -e "$1/shared/env" ]; then echo "lacks"; return 0; fi
  stat -c 'mode %a %U:%G' "$1/shared/env"
  digest_env "$1"
}

# digest_env ROOT               Each variable with a digest of its value: equal or not, nothing more.
digest_env() {
  local line name
  [ -e "$1/shared/env" ] || return 0
  while IFS= read -r line || [ -n "$line" ]; do
    line=${line#"${line%%[![:space:]]*}"}
    name=${line#export[[:blank:]]}; name=${name#"${name%%[![:blank:]]*}"}; name=${name%%=*}
    case $line in '' | '#'*) continue ;; esac
    case $name in *[!A-Za-z0-9_]*) continue ;; esac
    echo "$name $(printf '%s' "$line" | sha256sum | cut -c1-64)"
  done <"$1/shared/env"
}

# make_env ROOT GROUP           The secret environment, from standard input, if there is none yet.
make_env() {
  local env=$1/shared/env
  if [ ! -d "$1/shared" ] || [ -e "$env" ]; then return 0; fi
  put_env "$1" "$2" || return
  echo "made $env with a SECRET_KEY; add what else your settings need"
}
