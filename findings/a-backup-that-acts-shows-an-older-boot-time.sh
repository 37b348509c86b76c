#!/bin/bash
# BOOT_TIME of `scontrol show config` is not when the slurmctld that acts began to act: a backup that has taken over shows the
# moment at which it was started to stand by, which is before the primary was started that it follows. So the value goes
# back at a takeover, and is no measure of which controller is the newer one. Nor does `scontrol ping` tell which one
# acts: it calls the first in slurm.conf primary and the second backup, before and after. (24.11 and 26.05 do the same, in
# ping's JSON too.) Wants root, for a host name for each of the two. Ends with 0 while that is so.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "only root can give a process a host name of its own"; exit 2; }
slurm=22.05.8-4+deb12u3 munge=0.5.15-2+deb12u1
cd "$(mktemp -d)"; here=$PWD; pids=()
trap 'kill -9 "${pids[@]}" 2>/dev/null || true; wait 2>/dev/null; cd /; rm -rf "$here"' EXIT
apt-get -q download {slurmctld,slurmd,slurm-client,slurm-wlm-basic-plugins}=$slurm {munge,libmunge2}=$munge \
  libhwloc15=2.9.0-1 libjson-c5=0.16-2 liblua5.1-0=5.1.5-9 libnuma1=2.0.16-1 libyaml-0-2=0.2.5-1 libreadline8=8.2-1.3 \
  libdbus-1-3=1.14.10-1~deb12u1 >apt.log 2>&1 || { cat apt.log; exit 2; }
for deb in *.deb; do dpkg -x "$deb" .; done
libs=$(dirname "$here"/usr/lib/*/slurm-wlm); ln -s slurmctld-wlm usr/sbin/slurmctld
export LD_LIBRARY_PATH=$libs:$libs/slurm-wlm PATH=$here/usr/bin:$here/usr/sbin:$PATH SLURM_CONF=$here/first.conf
mkdir run log state spool; head -c 1024 /dev/urandom > key; chmod 400 key
block=127.$(( $$ % 200 + 20 )).$(( $$ / 200 % 250 + 1 ))
(cat /etc/hosts; echo "$block.1 first"; echo "$block.2 second") > hosts
for host in first second; do
cat > $host.conf <<C
ClusterName=finding
SlurmctldHost=first($block.1)
SlurmctldHost=second($block.2)
SlurmctldTimeout=5
SlurmUser=root
SlurmctldPort=$(( 20000 + $$ % 12000 ))
AuthType=auth/munge
AuthInfo=socket=$here/run/munge
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
PluginDir=$libs/slurm-wlm
StateSaveLocation=$here/state
SlurmdSpoolDir=$here/spool
SlurmctldPidFile=$here/run/$host.pid
SlurmctldLogFile=$here/log/$host
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
NodeName=n1 NodeAddr=$block.1 Port=1 CPUs=1 State=DOWN
PartitionName=p Nodes=ALL Default=YES
C
done
munged --foreground --force --key-file=key --socket=run/munge --pid-file=run/munged.pid --log-file=log/munged \
  --seed-file=run/seed 2>/dev/null & pids+=($!)
for _ in {1..100}; do [ -S run/munge ] && break; sleep 0.1; done
start() {
  SLURM_CONF=$here/$1.conf unshare --uts --mount --propagation private /bin/sh -c \
    "mount --bind $here/hosts /etc/hosts && hostname $1 && exec slurmctld -D" >log/"$1".out 2>&1 & pids+=($!)
}
is() { for _ in {1..300}; do scontrol ping 2>/dev/null | grep -q "at $1 is $2" && return; sleep 0.2; done; cat log/*; exit 2; }
boot() { scontrol show config 2>/dev/null | sed -n 's/^BOOT_TIME *= //p'; }
slurmctld -V
start first; is first UP; sleep 1
start second; is second UP; sleep 2 # the backup stands by
kill -9 "${pids[1]}"; is first DOWN
start first; is first UP; sleep 3   # the primary is started again, later than the backup
primary=$(boot); echo "the primary acts: BOOT_TIME $primary, $(scontrol ping | tr '\n' ',')"
kill -9 "${pids[3]}"; is first DOWN
for _ in {1..150}; do backup=$(boot); [ -z "$backup" ] || break; sleep 0.4; done
[ -n "$backup" ] || { echo "the backup took nothing over"; cat log/second; exit 2; }
echo "$(date +%FT%T): the backup acts: BOOT_TIME $backup, $({ scontrol ping || true; } 2>&1 | grep Slurmctld | tr '\n' ',')"
[[ "$backup" < "$primary" ]]
