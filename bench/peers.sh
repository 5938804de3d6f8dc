#!/bin/sh
# peers.sh NAME...: makes a host ready for the releases of every contestant but us, as root.
# Each has its own directory below /srv/peers; `live` leads to the one whose turn it is.
set -eu
for name in "$@"; do
  install -d -o deploy -g www-data -m 2755 "/srv/peers/$name"
done
# A database server takes a hundred connections; many hosts that keep theirs would need more.
env=/srv/www/guestbook/shared/env
grep -q CONN_MAX_AGE "$env" || echo CONN_MAX_AGE=0 >>"$env"
install -d -o deploy -g www-data /srv/peers/shared
install -o deploy -g www-data -m 0640 "$env" /srv/peers/shared/env
ln -sfn "$1" /srv/peers/live

# What every guide says: the application is found through the link that a deploy replaces.
cat >/srv/peers/app.wsgi <<'WSGI'
import os
import sys

for line in open("/srv/peers/shared/env"):
    name, _, value = line.strip().partition("=")
    os.environ[name] = value
sys.path.insert(0, "/srv/peers/live/current")
from config.wsgi import application
WSGI

cat >/etc/apache2/sites-available/peers.conf <<'CONF'
WSGIDaemonProcess peers user=www-data group=www-data processes=2 threads=5 display-name=%{GROUP} \
    python-home=/srv/peers/live/current/venv lang=C.UTF-8 locale=C.UTF-8
<VirtualHost *:80>
    ServerName localhost
    WSGIProcessGroup peers
    WSGIApplicationGroup %{GLOBAL}
    WSGIScriptAlias / /srv/peers/app.wsgi
    Alias /static/ /srv/peers/live/current/staticfiles/
    <Directory /srv/peers>
        Options FollowSymLinks
        Require all granted
    </Directory>
</VirtualHost>
CONF

cat >/etc/sudoers.d/peers <<'SUDO'
deploy ALL=(root) NOPASSWD: /usr/sbin/apachectl graceful
SUDO
chmod 0440 /etc/sudoers.d/peers
