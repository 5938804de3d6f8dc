#!/bin/bash
# capistrano.sh deploy|rollback: writes the stage of these hosts and runs cap.
set -euo pipefail
mkdir -p "$WORK/stages"
: >"$WORK/stages/bench.rb"
for host in $HOSTS; do echo "server '$host', user: 'deploy', roles: %w[web]" >>"$WORK/stages/bench.rb"; done
PACKAGES=$(sha256sum <"$REPO/site/requirements.txt" | cut -c1-12)
export PACKAGES
# It takes HOSTS from the environment as a filter of its own.
unset HOSTS
task=deploy
if [ "$1" = rollback ]; then task=deploy:rollback; fi
cd "$WORK"
exec cap --rakefile "$(realpath "${BASH_SOURCE%/*}")/Capfile" bench "$task"
