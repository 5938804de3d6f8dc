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
sudo_refused() {
  echo "sudo refused $1: prepare the host again (fab -H HOST setup --script | ssh root@HOST sh)"
}

# configure_server SERVER NAME    The configuration comes on standard input.
configure_server() {
  local said code=0
  said=$(timeout 60 sudo -n /usr/local/sbin/deploy-root "$1" "$2" 2>&1) || code=$?
  printf '%s\n' "$said"
  if [ "$code" = 1 ]; then
    sudo_refused "to configure $1"
    echo "if that right was withheld, root installs what fab apache.configure --text, or static.configure, prints"
  fi
  case $said in *'unknown directive "brotli_static"'*)
    echo "nginx has no brotli module: apt-get install libnginx-mod-http-brotli-static there, or static.brotli = false"
  esac
  [ "$code" = 0 ] || return 65
}

# may_reload NAME               Whether the deploy user may do what embedded mode needs.
may_reload() {
  sudo -n -l /usr/local/sbin/deploy-root reload "$1" >/dev/null 2>&1 && return
  sudo_refused "to reload Apache, which embedded mode needs"
  return 65
}

# reload_embedded ROOT NAME ID SECONDS PORT HOST_HEADER PATH   In embedded mode Apache's own processes
# serve: they load what is live when they start. ID: what visitors must get then; empty: nothing.
reload_embedded() {
  local root=$1 id=$3 said code=0 file until
  rm -f "$root/run/current"-*
  said=$(timeout 90 sudo -n /usr/local/sbin/deploy-root reload "$2" 2>&1) || code=$?
  if [ -n "$said" ]; then printf '%s\n' "$said"; fi
  if [ "$code" = 1 ]; then sudo_refused "to reload Apache"; fi
  [ "$code" = 0 ] || return 65
  until=$((SECONDS + $4))
  until [ -z "$id" ] || said=$(ask "$5" "$6" "$id" 5 "$7"); do
    for file in "$root/run/current"-*; do
      if [ "$(head -n 1 "$file" 2>/dev/null)" = "failed $id" ]; then
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
  trap 'rm -f "${back[0]}/draining"; exit 143' TERM HUP INT
  : >"$1/draining" && sleep "$2" || return
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
  local dir=$1/maintenance code
  mkdir -p "$dir" && chmod 755 "$dir" && printf '%s\n' "$2" | replace_file "$dir/why" &&
    replace_file "$dir/503.html" && chmod 644 "$dir/503.html" || return
  code=$(curl --silent --max-time 10 --output /dev/null --write-out '%{http_code}' \
    --header "Host: $4" "http://127.0.0.1:$3/")
  [ "$code" = 503 ] || say_and_fail 65 "visitors still get an answer $code"
}

# maintenance_off ROOT
maintenance_off() {
  if [ ! -e "$1/maintenance/503.html" ]; then echo "the page was not up"; return 0; fi
  rm -f "$1/maintenance/503.html" && rm -rf "$1/maintenance" && echo "visitors get the site again"
}
