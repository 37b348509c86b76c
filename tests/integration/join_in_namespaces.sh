#!/bin/sh
# A controller and one node, each on a machine of its own as far as namespaces make one: network, files in /etc, /run
# and /var, and the host's name. Run under `unshare --net --mount --uts --pid --fork --kill-child --mount-proc`, as root:
# what it starts ends with it, and nothing of the host is touched.
#
# join_in_namespaces.sh FOLDER SCRIPT NAME: FOLDER has slurm.conf and munge.key; SCRIPT is the node's user data.
set -eu

folder=$1 script=$2 name=$3
controller=10.77.0.1 node=10.77.0.2

say() { echo "== $*"; }

# Whatever is written below these directories is this machine's own.
own_files() {
  mount -t tmpfs tmpfs "$folder/$1"
  for place in etc run var; do
    mkdir -p "$folder/$1/$place" "$folder/$1/work-$place"
    mount -t overlay overlay -o "lowerdir=/$place,upperdir=$folder/$1/$place,workdir=$folder/$1/work-$place" "/$place"
  done
  rm -rf /run/systemd/system /etc/slurm
  mkdir -p /run/munge /var/log/munge /var/lib/munge /var/spool/slurmctld /etc/munge /etc/slurm /etc/arvados-node-manager
  chown munge: /run/munge /var/log/munge /var/lib/munge /etc/munge
  # As with a DNS that says at once that it has no such name; one that does not answer holds slurmctld up.
  echo 'hosts: files' > /etc/nsswitch.conf
  printf 'passwd: files\ngroup: files\n' >> /etc/nsswitch.conf
  printf '127.0.0.1 localhost\n' > /etc/hosts
}

if [ "${4:-}" = node ]; then
  own_files node
  # As the package leaves it: a key that no other machine has.
  head -c 128 /dev/urandom > /etc/munge/munge.key
  chown munge: /etc/munge/munge.key
  chmod 0400 /etc/munge/munge.key
  install -m 0400 "$folder/munge.key" /etc/arvados-node-manager/munge.key
  until ip link show veth1 > /dev/null 2>&1; do sleep 0.1; done
  ip link set lo up
  ip address add $node/24 dev veth1
  ip link set veth1 up
  printf '%s controller\n' $controller >> /etc/hosts
  if sh "$script"; then echo joined; else echo "the script ended with $?"; fi > "$folder/said" 2>&1
  exec sleep 600
fi

unshare --net --mount --uts sh "$0" "$folder" "$script" "$name" node &
machine=$!
while [ "$(readlink /proc/$machine/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.1; done

own_files controller
hostname controller
printf '%s controller\n' $controller >> /etc/hosts
install -o munge -g munge -m 0400 "$folder/munge.key" /etc/munge/munge.key
cp "$folder/slurm.conf" /etc/slurm/slurm.conf
ip link set lo up
ip link add veth0 type veth peer name veth1
ip address add $controller/24 dev veth0
ip link set veth0 up
runuser -u munge -- munged
slurmctld -c
until sinfo --noheader --nodes="$name" --format=%t 2> /dev/null | grep -q .; do sleep 0.2; done
say "before: $(sinfo --noheader --nodes="$name" --format=%t)"

ip link set veth1 netns $machine
# As the keeper does when the cloud shows the node's address.
scontrol update NodeName="$name" NodeAddr=$node NodeHostName="$name"

tries=0
until [ "$(sinfo --noheader --nodes="$name" --format=%t)" = idle ]; do
  tries=$((tries + 1))
  [ $tries -lt 300 ] || break
  sleep 0.2
done
say "script: $(cat "$folder/said" 2>&1)"
say "after: $(sinfo --noheader --nodes="$name" --format='%t %E')"
cd /var
timeout 60 sbatch --wait --output="$folder/output" --wrap='hostname' > "$folder/sbatch" 2>&1 || say "job: $(cat "$folder/sbatch")"
say "job ran on: $(cat "$folder/output" 2>&1)"
tail -n 40 /var/log/slurmctld.log 2> /dev/null || true
