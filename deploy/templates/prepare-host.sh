#!/bin/sh
# prepare-host.sh: what root does once on a host, before the first deploy. Safe to run again.
#
#   sh prepare-host.sh --name NAME --user USER --roles web,static,db
#                      [--root /srv/www/NAME] [--group www-data]
#                      [--restart-only | --allow-configure]
#                      [--static-server nginx|apache] [--mode daemon|embedded] [--tls]
#                      [--units UNIT,UNIT]
#
# It makes the site's directories, which belong to the deploy USER; installs deploy-root, which
# lies beside this file, as /usr/local/sbin/deploy-root; and lets USER run exactly its lines for
# this site, by /etc/sudoers.d/deploy-NAME. It enables the Apache modules that the site needs;
# where Apache only serves static files, mod_wsgi is not among them.
# Other sites, and the distribution's default ones, stay as they are.
#
# The right to change the web server's configuration amounts to root on this host. With
# --restart-only that right is not given: when the configuration of the site changes, which is
# seldom, the deploy stops, and an administrator installs what `fab apache.configure --text` prints.
# Once withheld, it stays so until --allow-configure gives it.

set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
umask 022

refuse() {
  echo "prepare-host: $1" >&2
  exit 64
}

name='' root='' user='' group=www-data roles='' static_server=nginx apache_mode=daemon units=''
restart_only='' tls=no
while [ $# -gt 0 ]; do
  case "$1" in
    --restart-only) restart_only=yes && shift && continue ;;
    --allow-configure) restart_only=no && shift && continue ;;
    --tls) tls=yes && shift && continue ;;
  esac
  [ $# -ge 2 ] || refuse "$1 needs a value"
  case "$1" in
    --name) name=$2 ;;
    --root) root=$2 ;;
    --user) user=$2 ;;
    --group) group=$2 ;;
    --roles) roles=$2 ;;
    --static-server) static_server=$2 ;;
    --units) units=$2 ;;
    --mode) apache_mode=$2 ;;
    *) refuse "unknown option $1" ;;
  esac
  shift 2
done
root=${root:-/srv/www/$name}
here=$(cd "$(dirname "$0")" && pwd)

has_role() { case ",$roles," in *",$1,"*) true ;; *) false ;; esac }

serves_static() { has_role static && [ "$static_server" = "$1" ]; }

# In shell patterns, a bracket of letters must not depend on the language of whoever runs this.
LC_ALL=C
export LC_ALL
case "$name" in '' | [!a-z]* | *[!a-z0-9-]*) refuse "--name: lower-case letters, digits, hyphens" ;; esac
[ "${#name}" -le 31 ] || refuse "--name: at most 31 characters"
case "$user" in '' | [!A-Za-z_]* | *[!A-Za-z0-9_.-]*) refuse "--user: not the name of a user: '$user'" ;; esac
case "$root" in /*/*) ;; *) refuse "--root: an absolute path, at least two levels deep: '$root'" ;; esac
[ -n "$roles" ] || refuse "--roles: at least one of web, static, db, worker"
for role in $(echo "$roles" | tr , ' '); do
  case "$role" in web | static | db | worker | lb | cache | media) ;; *) refuse "--roles: unknown role '$role'" ;; esac
done
case "$units" in *[!A-Za-z0-9@:._,-]*) refuse "--units: names of systemd units, with commas between: '$units'" ;; esac
case "$static_server" in nginx | apache) ;; *) refuse "--static-server: nginx or apache" ;; esac
case "$apache_mode" in daemon | embedded) ;; *) refuse "--mode: daemon or embedded" ;; esac
if has_role web && serves_static apache; then
  refuse "a host is either a web host or an Apache for static files"
fi
[ "$(id -u)" = 0 ] || refuse "must run as root"
[ "$user" != root ] || refuse "--user: the deploy user must not be root"
id "$user" >/dev/null 2>&1 || refuse "there is no user $user here; make it with: useradd -m $user"
getent group "$group" >/dev/null || refuse "there is no group $group here; --group names the web server's"
[ -f "$here/deploy-root" ] || refuse "deploy-root must lie beside this file, in $here"
needs_sudo() { has_role web || has_role static || { has_role worker && [ -n "$units" ]; }; }
if needs_sudo; then
  command -v visudo >/dev/null || refuse "sudo is not installed"
fi

# Inside the site's directory everything is done as the deploy user: a link that this user put
# there can then never make root change something elsewhere.
as_user() { runuser -u "$user" -- "$@"; }

directory() {
  as_user mkdir -p "$root/$2"
  owner=$(stat -L -c %U "$root/$2")
  [ "$owner" = "$user" ] ||
    refuse "$root/$2 belongs to $owner, and $user must own it (chown -R $user $root/$2)"
  as_user chgrp "$3" "$root/$2"
  as_user chmod "$1" "$root/$2"
}

# Uploads may have been given to the site's own user, or lie on a network file system.
uploads() {
  as_user mkdir -p "$root/shared/media"
  owner=$(stat -L -c %U "$root/shared/media")
  if [ "$owner" = "$user" ]; then
    directory 2775 shared/media "$group"
  else
    echo "prepare-host: $root/shared/media belongs to $owner, and is left as it is" >&2
  fi
}

make_directories() {
  usermod -aG "$group" "$user"
  own=$(id -gn "$user")
  mkdir -p "$root"
  chown -h "$user:$own" "$root"
  as_user chmod 0755 "$root"
  directory 0700 .deploy "$own"
  if has_role web || has_role db || has_role worker; then
    for name_inside in releases venvs slots shared; do directory 0755 "$name_inside" "$own"; done
    uploads
    if [ -f "$root/shared/env" ] && [ "$(stat -c %G "$root/shared/env")" != "$group" ]; then
      # Of a group before, it could be read no more by the processes of the site.
      as_user chgrp "$group" "$root/shared/env" ||
        refuse "$root/shared/env cannot be given to the group $group (chown $user:$group $root/shared/env)"
    fi
    directory 2770 run "$group"
  fi
  if has_role static; then
    directory 0755 static "$own"
    directory 0755 static/releases "$own"
    directory 0755 static/pool "$own"
  fi
}

# What sudo runs as root must be in the hands of root alone, with every directory above it.
check_parents() {
  for above in / /usr /usr/local /usr/local/sbin; do
    mode=$(stat -c '%U %A' "$above")
    case "$mode" in
      root\ ?????-??-?) ;;
      *) refuse "$above is '$mode': root alone may be able to write there (chmod go-w $above)" ;;
    esac
  done
}

install_program() {
  mkdir -p /usr/local/sbin
  check_parents
  install -o root -g root -m 0755 "$here/deploy-root" /usr/local/sbin/.deploy-root.new
  mv -f /usr/local/sbin/.deploy-root.new /usr/local/sbin/deploy-root
}

withholding="# The right to configure web servers is withheld."

sudo_lines() {
  echo "# What $user may do as root for the site $name: these lines, word for word."
  if [ "$restart_only" = yes ]; then echo "$withholding"; fi
  program=/usr/local/sbin/deploy-root
  if has_role web; then
    echo "$user ALL=(root) NOPASSWD: $program restart-slot $name blue"
    echo "$user ALL=(root) NOPASSWD: $program restart-slot $name green"
    if [ "$apache_mode" = embedded ]; then echo "$user ALL=(root) NOPASSWD: $program reload $name"; fi
  fi
  if has_role worker; then
    # In sudoers a colon has a meaning of its own.
    for unit in $(echo "$units" | sed 's/:/\\:/g' | tr , ' '); do
      echo "$user ALL=(root) NOPASSWD: $program restart-unit $name $unit"
    done
  fi
  if [ "$restart_only" != yes ]; then
    if has_role web || serves_static apache; then
      echo "$user ALL=(root) NOPASSWD: $program apache $name"
    fi
    if serves_static nginx; then echo "$user ALL=(root) NOPASSWD: $program nginx $name"; fi
  fi
}

# Whether the file says so, or is from when none did: slots may be restarted, and nothing configured.
withheld() {
  grep -qsxF "$withholding" "$1" ||
    { grep -qs " restart-slot $name " "$1" && ! grep -Eqs " (apache|nginx) $name\$" "$1"; }
}

install_sudoers() {
  if [ -z "$restart_only" ] && withheld "/etc/sudoers.d/deploy-$name"; then
    restart_only=yes
    echo "prepare-host: the right to configure web servers stays withheld; --allow-configure gives it"
  fi
  # sudo skips file names with a dot, so a half-written one is never read.
  new=/etc/sudoers.d/.deploy-$name.new
  sudo_lines >"$new"
  chmod 0440 "$new"
  visudo -cqf "$new" || { rm -f "$new"; refuse "visudo does not accept the rule for $user"; }
  mv -f "$new" "/etc/sudoers.d/deploy-$name"
}

enable_static_modules() {
  command -v apachectl >/dev/null || refuse "Apache is not installed: apt-get install apache2"
  command -v a2enmod >/dev/null || return 0
  before=$(ls /etc/apache2/mods-enabled)
  a2enmod -q rewrite headers mime authz_host >/dev/null
  [ "$before" = "$(ls /etc/apache2/mods-enabled)" ] || reload_apache
}

enable_modules() {
  if ! command -v a2enmod >/dev/null; then
    command -v apachectl >/dev/null || refuse "Apache is not installed"
    apachectl -M 2>/dev/null | grep -q wsgi_module || refuse "mod_wsgi is not installed (python3-mod_wsgi)"
    [ "$tls" = no ] || apachectl -M 2>/dev/null | grep -q ssl_module || refuse "mod_ssl is not installed (mod_ssl)"
    return
  fi
  [ -e /etc/apache2/mods-available/wsgi.load ] ||
    refuse "mod_wsgi is not installed: apt-get install libapache2-mod-wsgi-py3"
  before=$(ls /etc/apache2/mods-enabled)
  a2enmod -q wsgi rewrite headers alias env dir mime expires >/dev/null
  if [ "$tls" = yes ]; then a2enmod -q ssl >/dev/null; fi
  [ "$before" = "$(ls /etc/apache2/mods-enabled)" ] || reload_apache
}

reload_apache() {
  pid=$(cat /run/apache2/apache2.pid 2>/dev/null) || return 0
  kill -0 "$pid" 2>/dev/null || return 0
  apachectl configtest 2>&1 || refuse "Apache does not accept its configuration; nothing was reloaded"
  apachectl graceful
}

make_directories
if needs_sudo; then
  install_program
  install_sudoers
else
  rm -f "/etc/sudoers.d/deploy-$name" # what the host was for before
fi
if has_role web; then enable_modules; fi
if serves_static apache; then enable_static_modules; fi
echo "prepared $root for $name ($roles)"
