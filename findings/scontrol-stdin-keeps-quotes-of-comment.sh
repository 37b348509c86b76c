#!/bin/bash
# scontrol reads commands from its standard input when it has none in its arguments. The quotation marks that hold a text
# with blanks together are taken off a Reason, and become part of a Comment: Comment="a b" is kept with them, so what one
# writes by a list of commands is not what one writes by arguments. Needs Debian's slurm-wlm slurmctld slurm-client munge.
# Ends with 0 while that is so.
set -eu
cd "$(mktemp -d)"; here=$PWD; pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait; cd /; rm -rf "$here"' EXIT
port=$(( 20000 + $$ % 20000 ))
mkdir run log state; head -c 1024 /dev/urandom > key; chmod 400 key
cat > slurm.conf <<C
ClusterName=finding
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=$(id -un)
SlurmctldPort=$port
SlurmdPort=$(( port + 1 ))
AuthType=auth/munge
AuthInfo=socket=$here/run/munge
CredType=cred/munge
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation=$here/state
SlurmctldPidFile=$here/run/slurmctld.pid
SlurmctldLogFile=$here/log/slurmctld
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
AccountingStorageType=accounting_storage/none
NodeName=n[1-2] NodeAddr=127.0.0.1 Port=[$(( port + 2 ))-$(( port + 3 ))] State=UNKNOWN
PartitionName=p Nodes=ALL Default=YES
C
export SLURM_CONF=$here/slurm.conf PATH=$PATH:/usr/sbin
munged --foreground --force --key-file=key --socket=run/munge --pid-file=run/munged.pid --log-file=log/munged \
  --seed-file=run/seed 2>/dev/null & pids+=($!)
for _ in {1..50}; do [ -S run/munge ] && break; sleep 0.1; done
slurmctld -D 2>/dev/null & pids+=($!)
for _ in {1..60}; do sinfo --noheader >/dev/null 2>&1 && break; sleep 0.5; done
sinfo --version
scontrol update NodeName=n1 State=DRAIN Reason="a b" Comment="c d"
echo 'update NodeName=n2 State=DRAIN Reason="a b" Comment="c d"' | scontrol >/dev/null
shown() { scontrol show node "$1" | sed -n 's/^ *\(Reason\|Comment\)=/\1=/p' | sed 's/ \[.*//'; }
echo "by arguments: $(shown n1 | paste -sd' ')"
echo "by stdin:     $(shown n2 | paste -sd' ')"
[ "$(shown n1)" = $'Reason=a b\nComment=c d' ] && [ "$(shown n2)" = $'Reason=a b\nComment="c d"' ]
