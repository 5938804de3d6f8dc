"""Everybody who can take part, in the order of the tables."""

from bench.contestants import Contestant
from bench.contestants.ansible import Ansible
from bench.contestants.book import Fabfile
from bench.contestants.capistrano import Capistrano
from bench.contestants.floor import Floor
from bench.contestants.group import FabricGroup
from bench.contestants.limit import Limit
from bench.contestants.pyinfra import Pyinfra
from bench.contestants.shipit import Shipit
from bench.contestants.us import Us

QUICK: tuple[Contestant, ...] = (Us(), Limit(), Floor(), Pyinfra(), FabricGroup())
ALL: tuple[Contestant, ...] = (*QUICK, Fabfile(), Capistrano(), Ansible(), Shipit())
