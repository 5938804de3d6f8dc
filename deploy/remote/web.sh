# shellcheck shell=bash
# The web servers' configuration. Only root may change it, through one program that tests it
# and puts the old one back if the test fails.

# server_file SERVER NAME       The file of the site that the server reads, if there is one.
server_file() {
  local file
  case $1 in
    apache) set -- "/etc/apache2/sites-enabled/$2.conf" "/etc/httpd/conf.d/$2.conf" ;;
    nginx) set -- "/etc/nginx/sites-enabled/$2.conf" "/etc/nginx/conf.d/$2.conf" ;;
  esac
  for file in "$@"; do
    if [ -e "$file" ]; then echo "$file"; return; fi
  done
}

# show_server SERVER NAME       What is installed there now; nothing if nothing is.
show_server() {
  local file
  file=$(server_file "$1" "$2")
  [ -z "$file" ] || cat "$file"
}

# sudo_refused WHAT
sudo_refused() { echo "sudo refused $1: $(prepare_again)"; }

prepare_again() { echo "prepare the host again (fab -H HOST setup --script | ssh root@HOST sh)"; }

# configure_server SERVER NAME    The configuration comes on standard input.
configure_server() {
  local said code=0
  said=$(timeout 60 sudo -n /usr/local/sbin/deploy-root "$1" "$2" 2>&1) || code=$?
  printf '%s\n' "$said"
  if [ "$code" = 1 ]; then
    echo "sudo refused to configure $1: if that right was withheld (--restart-only), root installs what"
    echo "fab apache.configure --text, or static.configure --text, prints; else $(prepare_again)"
  fi
  case $said in *'unknown directive "brotli_static"'*)
    echo "nginx has no brotli module: apt-get install libnginx-mod-http-brotli-static there, or static.brotli = false"
  esac
  [ "$code" = 0 ] || return 65
}

# configure_site ROOT NAME SLOT ID PROCESSES SECONDS    The same for Apache, below a release ID that is
# live in SLOT. If that was loaded and does not load any more, the configuration before is put back: Apache's
# own test does not see that the site's processes cannot read what they need, or run another Python.
configure_site() {
  # shellcheck disable=SC2034  # count_loaded sets them
  local before said code=0 loaded failed empty files=("$1/run/$3"-*)
  before=$(show_server apache "$2")
  count_loaded "$1" "$(slot_title "$2" "$3")" "$3" "$4"
  said=$(configure_server apache "$2") || code=$?
  printf '%s\n' "$said"
  if [ "$code" != 0 ] || [ "$loaded" = 0 ] || [ -z "$before" ] || [ "$said" = unchanged ]; then return "$code"; fi
  # What the processes of the configuration before have said holds no more.
  rm -f "${files[@]}"
  said=$(wait_slot "$@") && return
  printf '%s\n' "with this configuration the live release does not come up:" "$said"
  if said=$(configure_server apache "$2" <<<"$before"); then echo "the configuration before is back"
  else printf '%s\n' "the configuration before is not back either:" "$said"
  fi
  return 65
}

# may_reload NAME               Whether the deploy user may do what embedded mode needs.
may_reload() {
  sudo -n -l /usr/local/sbin/deploy-root reload "$1" >/dev/null 2>&1 && return
  sudo_refused "to reload Apache, which embedded mode needs"
  return 65
}

# reload_embedded ROOT NAME ID SECONDS PORT HOST_HEADER PATH ask|ask_back   In embedded mode Apache's own processes
# serve: they load what is live when they start. ID: what visitors must get then; empty: nothing.
reload_embedded() {
  local root=$1 id=$3 said code=0 file until
  rm -f "$root/run/current"-*
  said=$(timeout 90 sudo -n /usr/local/sbin/deploy-root reload "$2" 2>&1) || code=$?
  if [ -n "$said" ]; then printf '%s\n' "$said"; fi
  if [ "$code" = 1 ]; then sudo_refused "to reload Apache"; fi
  [ "$code" = 0 ] || return 65
  until=$((SECONDS + $4))
  until [ -z "$id" ] || said=$("$8" "$5" "$6" "$id" 5 "$7"); do
    for file in "$root/run/current"-*; do
      if [ -f "$file" ] && [ "$(head -n 1 "$file" 2>/dev/null)" = "failed $id" ]; then
        echo "the site does not load in Apache's own processes:"
        tail -n +2 "$file"
        return 65
      fi
    done
    [ "$SECONDS" -lt "$until" ] || { printf '%s\n' "$said"; return 65; }
    sleep 0.1
  done
}

# drained ROOT SECONDS PORT HOST_HEADER WORD...   Does WORD... while the load balancer, which sees it
# by /-/ready, sends nobody here. Whatever came of it, the host comes back if the site answers.
drained() {
  local back=("$1" "$2" "$3" "$4") code=0
  # Whoever stops this must not leave the host out of the balancer.
  trap 'trap "" TERM HUP INT; rm -f "${back[0]}/draining"; exit 143' TERM HUP INT
  : >"$1/draining" || return
  # It may be stopped before this shell is.
  sleep "$2" || { rm -f "$1/draining"; return 143; }
  shift 4
  "$@" || code=$?
  come_back "${back[@]}" || code=$?
  trap - TERM HUP INT
  return "$code"
}

# come_back ROOT SECONDS PORT HOST_HEADER
come_back() {
  local code deadline=$((SECONDS + 30))
  until code=$(curl --silent --max-time 10 --output /dev/null --write-out '%{http_code}' \
    --header "Host: $4" --header "X-Deploy-Asks: yes" "http://127.0.0.1:$3/-/ready") &&
    [ "$code" -lt 500 ]; do
    if [ "$SECONDS" -ge "$deadline" ]; then
      echo "the site does not answer, so the load balancer is not told to come back"
      return 65
    fi
    sleep 0.2
  done
  rm -f "$1/draining" && sleep "$2"
}

# maintenance_on ROOT TEXT PORT HOST_HEADER    The page comes on standard input. Visitors get it
# as soon as the file is there; whether they do is asked as one of them, without the mark.
maintenance_on() {
  local dir=$1/maintenance before=$1/maintenance.before code
  rm -rf "$before" "$before.new" && mkdir "$before.new" || return
  if [ -e "$dir/503.html" ]; then cp -p "$dir/503.html" "$dir/why" "$before.new" || return; fi
  mv -T "$before.new" "$before" && mkdir -p "$dir" && chmod 755 "$dir" && printf '%s\n' "$2" | replace_file "$dir/why" &&
    replace_file "$dir/503.html" && chmod 644 "$dir/503.html" || return
  code=$(curl --silent --max-time 10 --output /dev/null --write-out '%{http_code}' \
    --header "Host: $4" "http://127.0.0.1:$3/")
  [ "$code" = 503 ] || say_and_fail 65 "visitors still get an answer $code"
}

# maintenance_back ROOT         What maintenance_on did is undone: the page before it is up again, or none.
maintenance_back() {
  local dir=$1/maintenance before=$1/maintenance.before
  [ -d "$before" ] || return 0
  if [ ! -e "$before/503.html" ]; then maintenance_off "$1"; return; fi
  mv -f "$before/why" "$before/503.html" "$dir" && rm -rf "$before"
}

# maintenance_off ROOT
maintenance_off() {
  rm -rf "$1/maintenance.before"
  if [ ! -e "$1/maintenance/503.html" ]; then echo "the page was not up"; return 0; fi
  rm -f "$1/maintenance/503.html" && rm -rf "$1/maintenance" && echo "visitors get the site again"
}
