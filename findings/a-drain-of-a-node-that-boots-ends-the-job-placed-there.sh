#!/bin/bash
# `scontrol update State=DRAIN` of a CLOUD node that was off, and on which a job has been placed (POWERED_DOWN with a job, or
# POWERING_UP), ends the job's allocation at once: a batch job goes back to the queue, and one with --no-requeue ends as
# NODE_FAIL, though nothing has failed and nothing has begun. On a node that is up a drain lets its jobs go on, as one would
# expect of the word. So whoever drains "nodes that are off" kills the jobs placed there meanwhile. Ends with 0 while that is so.
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
SuspendTime=-1
SuspendProgram=/bin/true
ResumeProgram=/bin/true
ResumeTimeout=600
SuspendTimeout=5
SlurmctldParameters=power_save_interval=60,cloud_reg_addrs
PrivateData=cloud
NodeName=c[1-4] CPUs=4 State=CLOUD
NodeName=n1 NodeAddr=127.0.0.1 Port=$(( port + 1 )) CPUs=4 State=UNKNOWN
PartitionName=cloud Nodes=c[1-4] SuspendTime=315360000 Default=YES
PartitionName=up Nodes=n1
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
slurmd -D -N n1 -d "$here/usr/sbin/slurmstepd" 2>/dev/null & pids+=($!)
for _ in {1..60}; do [ "$(sinfo -h -p up -t idle -o %D)" = 1 ] && break; sleep 0.5; done
cat > job <<'J'
#!/bin/sh
sleep 60
J
state() { scontrol show job "$1" | grep -o 'JobState=[A-Z_]*'; }
up1=$(sbatch --parsable --no-requeue -o /dev/null -p up job)
for _ in {1..60}; do [ "$(state "$up1")" = JobState=RUNNING ] && break; sleep 0.5; done
scontrol update NodeName=n1 State=DRAIN Reason=r; sleep 2
echo "a node that is up: drained, and its job is $(state "$up1")"
kept=$(sbatch --parsable --requeue -o /dev/null -w c1 job) lost=$(sbatch --parsable --no-requeue -o /dev/null -w c2 job)
for _ in {1..300}; do [ "$(state "$kept") $(state "$lost")" = "JobState=CONFIGURING JobState=CONFIGURING" ] && break; sleep 0.1; done
node=$(scontrol show node c2 | grep -o 'State=[^ ]*')
scontrol update NodeName=c[1-2] State=DRAIN Reason=r; sleep 1
echo "one that was off ($node): drained, and its jobs are $(state "$kept") (--requeue), $(state "$lost") (--no-requeue)"
[ "$(state "$up1") $(state "$kept") $(state "$lost")" = "JobState=RUNNING JobState=PENDING JobState=NODE_FAIL" ]
