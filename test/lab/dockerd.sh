#!/bin/sh
# Runs a dockerd on the lab's machine.
#   dockerd.sh TREE DATA ARGUMENTS…
# TREE is `/` for the dockerd of this machine, else a folder that holds an unpacked distribution. Such a tree becomes the root
# of a mount namespace by pivot_root; under a mere chroot `docker exec` would enter the machine's / instead of the container's.
set -e
tree=$1 data=$2
shift 2
if [ "$tree" = / ]; then exec dockerd --data-root "$data" "$@"; fi

exec unshare --mount --propagation unchanged sh -c '
  set -e
  tree=$1 data=$2
  shift 2
  mount --rbind "$tree" "$tree"
  cd "$tree"
  mount -t proc proc proc
  mount --rbind /sys sys
  mount --rbind /dev dev
  mount --rbind /run run
  mount -t tmpfs tmpfs tmp
  mount -t tmpfs tmpfs etc/docker
  mount --bind "$data" var/lib/docker
  mount --bind /etc/resolv.conf etc/resolv.conf
  mkdir tmp/old
  pivot_root . tmp/old
  cd /
  # From here on only what the tree holds can be run. Private first, lest the unmounting spread to /run outside.
  exec /bin/busybox sh -c "
    mount --make-rprivate /tmp/old
    umount -l /tmp/old
    exec dockerd --data-root /var/lib/docker \"\$@\"
  " dockerd "$@"
' dockerd "$tree" "$data" "$@"
