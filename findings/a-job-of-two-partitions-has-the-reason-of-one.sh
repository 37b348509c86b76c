#!/bin/bash
# A job that may run in either of two partitions, `--partition=p,q`, and needs more nodes than q has, waits with the reason
# PartitionNodeLimit, while nothing is in its way but that p is busy; as soon as p is free it starts there. So Slurm says
# the same of it as of a job of q alone, which never starts. With `--partition=q,p` the same job has other reasons: it is
# the partition that was looked at last which counts. One would expect the reason of the partition that can have it, or the
# refusal of the whole at submit. Ends with 0 while that is so.
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
PartitionName=q Nodes=n[1-2]
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
for _ in {1..60}; do [ "$(sinfo -h -p p -t idle -o %D)" = 4 ] && break; sleep 0.5; done
submit() { sbatch --parsable --output=/dev/null "$@" --wrap 'sleep 5'; }
full=$(sbatch --parsable --output=/dev/null --nodes=4 --exclusive --wrap 'sleep 300'); sleep 1
ahead=$(submit --nodes=4); both=$(submit --partition=p,q --nodes=3); other=$(submit --partition=q,p --nodes=3); never=$(submit --partition=q --nodes=3)
of() { sed -nE "s/^$1 //p" reasons | sed 's/^Nodes required.*/Nodes required .../' | sort | uniq -c | sort -rn | sed -E 's/^ *([0-9]+) (.*)/\2 \1x/' | paste -sd, ; }
sleep 5; for _ in {1..20}; do squeue -h -t PD -o '%A %r'; sleep 0.5; done > reasons
echo "while all nodes are busy, in 20 looks:"
of_both=$(of "$both"); echo "  -p p,q -N 3: $of_both"; echo "  -p q,p -N 3: $(of "$other")"; echo "  -p q -N 3:   $(of "$never")"
scancel "$full" "$ahead" "$other"
ran() { for _ in {1..60}; do scontrol show job "$1" | grep -q JobState=COMPLETED && return; sleep 0.5; done; return 1; }
ran "$both" || { echo "it did not run"; exit 1; }
where=$(scontrol show job "$both" | grep -oE 'Partition=[a-z]+'); left=$(squeue -h -j "$never" -o '%t %r')
echo "when they are free: -p p,q -N 3 ran, $where; -p q -N 3: $left"
[[ "$of_both" = "PartitionNodeLimit "* ]] && [ "$where" = Partition=p ] && [ "$left" = "PD PartitionNodeLimit" ] &&
  [[ "$(of "$other")" != *Partition* ]]
