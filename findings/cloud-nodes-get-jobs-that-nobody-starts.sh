#!/bin/bash
# With SuspendTime=-1 (the default, "power saving off") and State=CLOUD nodes, Slurm places jobs on nodes that are off, and
# nobody ever starts these: ResumeProgram is not called, the job is CONFIGURING with a start time for ever, and slurmctld's log
# says nothing. One would expect that such nodes are no candidates, or that they are powered up. The same slurm.conf with a
# finite SuspendTime of the partition calls ResumeProgram within seconds. Ends with 0 while that is so.
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
# shellcheck disable=SC2016 # $1 is the program's
printf '#!/bin/sh\necho "$1" >> %s\n' "$here/calls" > called; chmod +x called; : > calls
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
SuspendProgram=$here/called
ResumeProgram=$here/called
ResumeTimeout=600
SuspendTimeout=5
SlurmctldParameters=power_save_interval=1,cloud_reg_addrs
PrivateData=cloud
NodeName=c[1-4] CPUs=4 State=CLOUD
PartitionName=cloud Nodes=c[1-4] Default=YES
C
munged --foreground --force --key-file=key --socket=run/munge --pid-file=run/munged.pid --log-file=log/munged \
  --seed-file=run/seed 2>/dev/null & pids+=($!)
for _ in {1..100}; do [ -S run/munge ] && break; sleep 0.1; done
start() {
  up=; slurmctld -D 2>/dev/null & controller=$!; pids+=("$controller")
  for _ in {1..100}; do
    (: < /dev/tcp/127.0.0.1/$port) 2>/dev/null && up=yes && break
    kill -0 "$controller" 2>/dev/null || break; sleep 0.2
  done
  [ "$up" ] || { cat log/*; exit 2; }
}
cat > job <<'J'
#!/bin/sh
sleep 60
J
try() { # a job, its state and the calls of ResumeProgram after a while
  job=$(sbatch --parsable -o /dev/null job)
  for _ in $(seq "$1"); do [ -s calls ] && break; sleep 1; done
  seen="$(scontrol show job "$job" | grep -o 'JobState=[A-Z_]*') $(squeue -h -j "$job" -o %N) calls: $(tr '\n' ' ' < calls)"
}
start; sinfo --version
try 40; without=$seen; echo "SuspendTime=-1, after 40 s: $without"
grep -i 'power' log/slurmctld || echo "slurmctld's log has no word of power"
scancel --user="$(id -un)"; kill "$controller"; wait "$controller" 2>/dev/null || true
sed -i 's/^PartitionName=cloud.*/& SuspendTime=315360000/' slurm.conf; rm -rf state; mkdir state
start; try 40; with=$seen; echo "SuspendTime=315360000 at the partition: $with"
[ "$without" = "JobState=CONFIGURING c1 calls: " ] && [ "$with" = "JobState=CONFIGURING c1 calls: c1 " ]
