#!/bin/bash
# After `scontrol update NodeName=n1 NodeAddr=127.0.0.1` slurmctld reaches n1 there: it registers, and batch jobs run on it. srun
# does not: it goes by the NodeAddr of slurm.conf (192.0.2.1 here), and the job step dies with "Communication connection failure",
# although `scontrol show node n1` shows the new address to everybody, srun too. (Names declared State=CLOUD are sent their
# addresses with the allocation.) Ends with 0 while that is so.
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
NodeName=n1 NodeAddr=192.0.2.1 Port=$(( port + 1 )) CPUs=4 State=UNKNOWN
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
sed s/192.0.2.1/127.0.0.1/ slurm.conf > on-the-node.conf  # or slurmd would look for 192.0.2.1 among its own addresses
SLURM_CONF=$here/on-the-node.conf slurmd -D -N n1 -d "$here/usr/sbin/slurmstepd" 2>/dev/null & pids+=($!)
scontrol update NodeName=n1 NodeAddr=127.0.0.1
for _ in {1..60}; do [ "$(sinfo -h -n n1 -o %t)" = idle ] && break; sleep 0.5; done
echo "n1 is $(sinfo -h -n n1 -o %t), $(scontrol show node n1 | grep -o 'NodeAddr=[^ ]*')"
sbatch --quiet --wait --output=out --wrap 'echo ran' && batch=$? || batch=$?
echo "sbatch: exit code $batch, $(cat out)"
said=$(timeout 100 srun true 2>&1) && step=$? || step=$?
echo "srun: exit code $step, $said"
[ "$batch $(cat out)" = "0 ran" ] && [ "$step" != 0 ] && [[ $said = *"ommunication"* ]]
