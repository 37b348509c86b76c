#!/bin/bash
# A waiting job of `--nodes=2-4` shows NumNodes 4: the most nodes that it may get, cut to what its partition has (`2-100` on four
# nodes shows 4, too). squeue's manual says of NumNodes and %D "the minimum number of nodes required by a pending job", and
# that the job may be given more. While the job is held it does show 2. It starts on two nodes. The CPUs beside it (1) are
# those of fewer nodes than even the least has; the 2 stands in tres-alloc alone. Ends with 0 while that is so.
set -euo pipefail
slurm=22.05.8-4+deb12u3 munge=0.5.15-2+deb12u1
cd "$(mktemp -d)"; here=$PWD; pids=()
end() {
  if [ "${up-}" ]; then
    scancel --quiet --user="$(id -un)" || true
    for _ in {1..20}; do [ -z "$(squeue --noheader --states=R,CG)" ] && break; sleep 0.5; done
  fi 2>/dev/null
  kill "${pids[@]}" 2>/dev/null || true; wait; cd /; rm -rf "$here"
}
trap end EXIT
apt-get -q download {slurmctld,slurmd,slurm-client,slurm-wlm-basic-plugins}=$slurm {munge,libmunge2}=$munge \
  libhwloc15=2.9.0-1 libjson-c5=0.16-2 liblua5.1-0=5.1.5-9 libnuma1=2.0.16-1 libyaml-0-2=0.2.5-1 libreadline8=8.2-1.3 \
  libdbus-1-3=1.14.10-1~deb12u1 >apt.log 2>&1 || { cat apt.log; exit 2; }
for deb in *.deb; do dpkg -x "$deb" .; done
libs=$(dirname "$here"/usr/lib/*/slurm-wlm); for tool in slurmctld slurmd slurmstepd; do ln -s $tool-wlm usr/sbin/$tool; done
export SLURM_CONF=$here/slurm.conf LD_LIBRARY_PATH=$libs:$libs/slurm-wlm PATH=$here/usr/bin:$here/usr/sbin:$PATH
mkdir run log state spool; head -c 1024 /dev/urandom > key; chmod 400 key
used() { for p in $(seq $port $(( port + 4 ))); do (: < "/dev/tcp/127.0.0.1/$p") 2>/dev/null && return; done; return 1; }
port=$(( 20000 + $$ * 5 % 12000 )); while used; do (( port += 5 )); done
cat > slurm.conf <<C
ClusterName=finding
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
SlurmctldPort=$port
SlurmdPort=$port
AuthType=auth/munge
AuthInfo=socket=$here/run/munge
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
PluginDir=$libs/slurm-wlm
StateSaveLocation=$here/state
SlurmdSpoolDir=$here/spool/%n
SlurmctldPidFile=$here/run/slurmctld.pid
SlurmdPidFile=$here/run/slurmd.%n.pid
SlurmctldLogFile=$here/log/slurmctld
SlurmdLogFile=$here/log/slurmd.%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=bf_interval=1,sched_interval=1
SlurmdParameters=config_overrides
KillWait=1
NodeName=n[1-4] NodeAddr=127.0.0.1 Port=[$(( port + 1 ))-$(( port + 4 ))] CPUs=4 State=UNKNOWN
PartitionName=p Nodes=ALL Default=YES
C
munged --foreground --force --key-file=key --socket=run/munge --pid-file=run/munged.pid --log-file=log/munged \
  --seed-file=run/seed 2>/dev/null & pids+=($!)
for _ in {1..100}; do [ -S run/munge ] && break; sleep 0.1; done
slurmctld -D 2>/dev/null & pids+=($!)
for _ in {1..100}; do
  (: < /dev/tcp/127.0.0.1/$port) 2>/dev/null && up=yes && break
  kill -0 "${pids[1]}" 2>/dev/null || break; sleep 0.2
done
[ "${up-}" ] || { cat log/*; exit 2; }
sinfo --version
for n in 1 2 3 4; do slurmd -D -N n$n -d "$here/usr/sbin/slurmstepd" 2>/dev/null & pids+=($!); done
for _ in {1..60}; do [ "$(sinfo -h -t idle -o %D)" = 4 ] && break; sleep 0.5; done
submit() { sbatch --parsable --output=/dev/null "$@" --wrap 'sleep 60'; }
full=$(submit --nodes=4 --exclusive); sleep 1
held=$(submit --hold --nodes=2-4); range=$(submit --nodes=2-4); wide=$(submit --nodes=2-100); sleep 3
see() { # what the columns say of a job
  printf 'NumNodes %s, %%D %s, scontrol %s, tres-alloc %s' "$(squeue -h -j "$1" -O NumNodes:0)" "$(squeue -h -j "$1" -o %D)" \
    "$(scontrol show job "$1" | grep -o 'NumNodes=[^ ]*')" "$(squeue -h -j "$1" -O tres-alloc:0 | grep -o 'node=[0-9]*')"
}
of_held=$(see "$held"); of_range=$(see "$range"); of_wide=$(see "$wide"); cpus=$(squeue -h -j "$range" -o %C)
echo "--hold --nodes=2-4:  $of_held"; echo "--nodes=2-4:         $of_range, CPUs $cpus"; echo "--nodes=2-100:       $of_wide"
scontrol update NodeName=n3,n4 State=DRAIN Reason=r; scancel "$wide" "$full"
for _ in {1..40}; do [ "$(squeue -h -j "$range" -o %t)" = R ] && break; sleep 0.5; done
runs=$(squeue -h -j "$range" -o '%t %D %N'); echo "n3 and n4 are drained, the others free. --nodes=2-4: $runs"
[ "$of_held" = "NumNodes 2, %D 2, scontrol NumNodes=2-4, tres-alloc node=2" ] &&
  [ "$of_range $cpus" = "NumNodes 4, %D 4, scontrol NumNodes=4-4, tres-alloc node=2 1" ] &&
  [ "$of_wide" = "NumNodes 4, %D 4, scontrol NumNodes=4-100, tres-alloc node=2" ] && [ "$runs" = "R 2 n[1-2]" ]
