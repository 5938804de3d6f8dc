#!/bin/bash
# shipit.sh deploy|rollback: Shipit opens connections by the system's ssh, with the user's settings.
set -euo pipefail
PACKAGES=$(sha256sum <"$REPO/site/requirements.txt" | cut -c1-12)
export PACKAGES NODE_PATH=$NODE/node_modules PATH=$WORK/bin:$NODE/node_modules/.bin:$PATH
cd "$WORK"
exec shipit --shipitfile "$WORK/shipitfile.js" all "$1"
