#!/bin/sh
# PID 1 of the lab's machine, already in namespaces of its own (PID, mount, network, UTS).
#   init.sh FOLDER NAME HOSTNAME HOST4 SECOND4 LAN4 HOST6 LAN6 UNPACKED UNPACKED-AT
# Makes the machine look like a Docker host of its own, prints `ready PID` (its PID outside) and waits for the lifeline's end.
set -e
folder=$1 hostname=$3 host4=$4 second4=$5 lan4=$6 host6=$7 lan6=$8 unpacked=$9
shift 9
unpacked_at=$1

# /proc is still the outer one, so this is the PID by which others can enter the machine.
read -r pid rest </proc/self/stat

# What is unmounted outside later shall not be held here.
mount --make-rslave /
# dockerd asks for these itself, but where its root is an unpacked tree it has no modprobe.
modprobe -qa overlay br_netfilter veth macvlan 2>/dev/null || :
# A sysfs shows the network namespace of whoever mounted it; the cgroups are kept below the new one.
mount --rbind /sys/fs/cgroup "$folder/hold"
mount -t sysfs sysfs /sys
mount --rbind "$folder/hold" /sys/fs/cgroup
umount -l "$folder/hold"
mount -t proc proc /proc
# A /run of its own: no D-Bus (firewalld, systemd), no Docker socket and no xtables.lock of the real machine can be reached.
# Shared, so that the network namespaces that dockerd mounts below it are seen by all.
cut -d ' ' -f 5 /proc/self/mountinfo | grep '^/run/' | sort -r | while read -r point; do umount -l "$point"; done
mount --bind "$folder/run" /run
mount --make-private /run
mount --make-shared /run
mkdir -p /run/lock
if [ -n "$unpacked" ]; then
  mkdir "$unpacked_at"
  mount --bind "$unpacked" "$unpacked_at"
  mount -o remount,bind,ro "$unpacked_at"
fi
# Docker's data in memory: nothing to sync, nothing to delete.
mount -t tmpfs -o mode=711 tmpfs "$folder/data"
# What dockerd writes below /etc (20.10: /etc/docker/key.json) stays in the lab.
mkdir "$folder/data/etc" "$folder/data/work"
mount -t overlay -o "lowerdir=/etc,upperdir=$folder/data/etc,workdir=$folder/data/work" overlay /etc
rm -f /etc/resolv.conf /etc/docker/daemon.json
# Nobody answers there: what asks all the same (a swarm's agent looks for a newer image) shall soon give up.
printf 'nameserver %s\noptions timeout:1 attempts:1\n' "$lan4" >/etc/resolv.conf
echo "$hostname" >/etc/hostname
hostname "$hostname"

ip netns add lan
ip -batch - <<BATCH
link set lo up
link add eth0 type veth peer name eth0 netns lan
address add $host4/24 dev eth0
address add $second4/24 dev eth0
address add $host6/64 dev eth0 nodad
link set eth0 up
route add default via $lan4
BATCH
ip -n lan -batch - <<BATCH
link set lo up
address add $lan4/24 dev eth0
address add $lan6/64 dev eth0 nodad
link set eth0 up
BATCH

echo "$pid" >"$folder/init.pid"
echo "ready $pid"
cat >/dev/null
