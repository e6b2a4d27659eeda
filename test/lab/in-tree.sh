#!/bin/sh
# Runs a program on the lab's machine with an unpacked distribution for its root.
#   in-tree.sh TREE DATA PLACE COMMAND…
# TREE becomes the root of a mount namespace by pivot_root; under a mere chroot `docker exec` would enter the machine's /
# instead of the container's. DATA, a folder, is found at PLACE there, and the machine's own root at /machine.
set -e
exec unshare --mount --propagation unchanged sh -c '
  set -e
  tree=$1 data=$2 place=$3
  shift 3
  mount --rbind "$tree" "$tree"
  cd "$tree"
  mkdir -p machine
  mount --rbind / machine
  mount -t proc proc proc
  mount --rbind /sys sys
  mount --rbind /dev dev
  mount --rbind /run run
  mount -t tmpfs tmpfs tmp
  mount -t tmpfs tmpfs etc/docker
  mount --bind "$data" ".$place"
  mount --bind /etc/resolv.conf etc/resolv.conf
  mkdir tmp/old
  pivot_root . tmp/old
  cd /
  # From here on only what the tree holds can be run. Private first, lest the unmounting spread to /run outside.
  exec /bin/busybox sh -c "
    mount --make-rprivate /tmp/old
    umount -l /tmp/old
    PATH=/usr/sbin:/usr/bin:/sbin:/bin
    exec \"\$@\"
  " sh "$@"
' sh "$@"
