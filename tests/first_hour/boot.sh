#!/bin/sh
# boot.sh NAME LAYERS FOLDER CGROUP ADDRESS [PID]: a computer whose first process is systemd, for computer.py. PID: a
# process on whose network the switch is.
set -eu

name=$1 layers=$2 folder=$3 group=$4 address=$5 beside=${6:-}
root=$folder/root

if [ "${7:-}" != inside ]; then
  echo $$ > "$group/cgroup.procs"
  # Its time since the boot begins now, as slurmctld and leases count.
  now=$(cut -d. -f1 /proc/uptime)
  [ -z "$beside" ] || exec 9< "/proc/$beside/ns/net"
  # It ends with the thread that started it.
  exec setpriv --pdeathsig KILL unshare --mount --pid --uts --net --ipc --cgroup --time --boottime "-$((now - 1))" --fork --kill-child \
    sh "$0" "$name" "$layers" "$folder" "$group" "$address" "$beside" inside
fi

mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=$layers,upperdir=$folder/upper,workdir=$folder/work" "$root"
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
  : > "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for number in 0 1 2; do
  ln -s "/proc/self/fd/$number" "$root/dev/$(echo 'stdin stdout stderr' | cut -d' ' -f$((number + 1)))"
done
: > "$folder/console"
: > "$root/dev/console"
mount --bind "$folder/console" "$root/dev/console"
mount -t tmpfs tmpfs "$root/run"
mkdir -p "$root/var/cache/pip"
mount --bind "$PIP_CACHE" "$root/var/cache/pip"

: > "$root/etc/machine-id"
echo "$name" > "$root/etc/hostname"
hostname "$name"
grep -q controller "$root/etc/hosts" || printf '127.0.0.1 localhost\n10.77.0.1 controller\n' >> "$root/etc/hosts"
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/certificates.crt"
echo 'hosts: files dns' > "$root/etc/nsswitch.conf"
printf 'passwd: files\ngroup: files\nshadow: files\n' >> "$root/etc/nsswitch.conf"
rm -f "$root/etc/systemd/system/getty.target.wants"/* "$root/lib/systemd/system/console-getty.service"

ip link set lo up
if [ -z "$beside" ]; then
  ip link add switch type bridge
  ip address add "$address/16" dev switch
  ip link set switch up
else
  # One end of a cable here, the other in the switch.
  port=port$(echo "$address" | cut -d. -f3-4 | tr . -)
  nsenter --net=/proc/self/fd/9 ip link add "$port" master switch up type veth peer name eth0 netns 1
  exec 9<&-
  ip address add "$address/16" dev eth0
  ip link set eth0 up
  ip route add default via 10.77.0.1
fi
echo up > "$folder/up"
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$root" /sbin/init
