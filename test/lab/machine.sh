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
exec 3<&-
while kill -0 "$box" 2>/dev/null; do wait "$box"; code=$?; done

# cgroup v1 has one hierarchy for each controller below /sys/fs/cgroup, v2 has one in all.
find /sys/fs/cgroup -maxdepth 2 -type d -name "$name" 2>/dev/null | while read -r top; do
  find "$top" -depth -type d -exec rmdir {} + 2>/dev/null
done
rm -rf --one-file-system "$folder"
exit "$code"
