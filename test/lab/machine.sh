#!/bin/sh
# Starts the lab's machine, waits for its end and clears away what outlives it: its cgroups and its folder.
#   machine.sh FOLDER NAME INIT-ARGUMENTS…
# Standard input is the lifeline: whoever started the lab holds the other end open and never writes. When that end
# closes, for whatever reason (stop, exit, SIGKILL), PID 1 of the machine ends, and with PID 1 the kernel ends every process,
# mount and network namespace of the machine (pid_namespaces(7)).
here=$(dirname "$0")
folder=$1 name=$2
exec 3<&0

mkdir -p "$folder/run" "$folder/data" "$folder/hold" "$folder/state" || exit 1
end() { read -r pid <"$folder/init.pid" && kill -KILL "$pid"; } 2>/dev/null
trap end HUP INT TERM

unshare --fork --pid --kill-child --mount --net --uts sh "$here/init.sh" "$@" <&3 3<&- &
box=$!
running() { kill -0 "$box" 2>/dev/null; }

# cgroup v1: the processes of a paused container cannot even be killed.
thaw() { for state in /sys/fs/cgroup/freezer/"$name"/docker/*/freezer.state; do [ ! -e "$state" ] || echo THAWED >"$state"; done; } 2>/dev/null
(
  read -r _ <&3
  while running; do thaw; sleep 0.05; done
) &
thawer=$!
exec 3<&-

while running; do
  wait "$box"
  code=$?
  thaw
done
kill "$thawer" 2>/dev/null

# cgroup v1 has one hierarchy for each controller below /sys/fs/cgroup, v2 has one in all.
find /sys/fs/cgroup -maxdepth 2 -type d -name "$name" 2>/dev/null | while read -r top; do
  find "$top" -depth -type d -exec rmdir {} + 2>/dev/null
done
rm -rf --one-file-system "$folder"
exit "$code"
