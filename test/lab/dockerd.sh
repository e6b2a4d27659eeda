#!/bin/sh
# Runs a dockerd on the lab's machine.
#   dockerd.sh TREE DATA ARGUMENTS…
# TREE is `/` for the dockerd of this machine, else a folder that holds an unpacked distribution.
set -e
tree=$1 data=$2
shift 2
if [ "$tree" = / ]; then exec dockerd --data-root "$data" "$@"; fi
exec sh "${0%/*}/in-tree.sh" "$tree" "$data" /var/lib/docker dockerd --data-root /var/lib/docker "$@"
