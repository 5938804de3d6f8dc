# shellcheck shell=bash
# The web servers' configuration. Only root may change it, through one program that tests it
# and puts the old one back if the test fails.

# configure_server SERVER NAME ROOT DIGEST    The configuration comes on standard input.
configure_server() {
  local said code=0
  said=$(timeout 60 sudo -n /usr/local/sbin/deploy-root "$1" "$2" 2>&1) || code=$?
  printf '%s\n' "$said"
  if [ "$code" = 1 ]; then echo "sudo refused: prepare the host again (fab setup)"; fi
  case $said in *'unknown directive "brotli_static"'*)
    echo "nginx has no brotli module: apt-get install libnginx-mod-http-brotli-static there, or static.brotli = false"
  esac
  [ "$code" = 0 ] || return 65
  printf '%s\n' "$4" | replace_file "$3/.deploy/installed-$1"
}
