#!/bin/sh
# Ends this machine when nobody manages it any more and nothing runs on it.
#
#     lease.sh CLOUD NODE MINUTES     NODE: its name in Slurm; MINUTES: how long it stays without a manager
#
# One look, to be made every minute, as root. Where it is renewed, the lease is another text than before: in a tag that
# EC2's metadata service shows, else in what slurmctld keeps of the node (Extra). Only that it has changed counts, never
# which time it is: clocks may be wrong and jump. What is counted is time between two looks, by the machine's own
# uptime, so that a machine that slept or stood still has not waited. A look that sees a new lease or a job begins anew.
# Where slurmctld does not answer, the job steps of slurmd alone tell whether something runs.
set -u

cloud=$1
node=$2
limit=$(($3 * 60))                                # seconds
every=${LEASE_EVERY:-60}                          # seconds between two looks; more than twice that is not counted
memory=${LEASE_MEMORY:-/run/arv-lease}            # a file: uptime of the last look, seconds counted, the lease then
uptime=${LEASE_UPTIME:-/proc/uptime}
processes=${LEASE_PROCESSES:-/proc}
metadata=${LEASE_METADATA:-http://169.254.169.254}
off=${LEASE_OFF:-systemctl poweroff || shutdown -h now || poweroff -f}
record='' lease=''

say() {
  logger -t arv-lease -- "$*" 2>/dev/null || echo "arv-lease: $*" >&2
}

ask() {
  curl -sf --noproxy '*' -m 3 "$@" 2>/dev/null
}

ec2() {
  token=$(ask -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$metadata/latest/api/token") || return 1
  ask -H "X-aws-ec2-metadata-token: $token" "$metadata/latest/meta-data/$1"
}

show() {
  record=$(timeout 30 scontrol -o show node "$node" 2>/dev/null) || record=
}

# $lease: the newest that is told; nothing where nobody tells.
look() {
  lease=
  if [ "$cloud" = ec2 ]; then
    lease=$(ec2 tags/instance/arvados_node_lease) || lease=
  fi
  if [ -z "$lease" ]; then
    show
    case $record in
      *Extra=node-manager-lease:*) lease=${record#*Extra=node-manager-lease:} ;;
    esac
  fi
  lease=${lease%%[!0-9]*}
}

is_renewed() {
  look
  [ -n "$lease" ] && [ "$lease" != "$seen" ]
}

# A step that runs, or a job that Slurm has put here.
works() {
  grep -aqs '^slurmstepd: \[' "$processes"/[0-9]*/cmdline && return
  jobs=$(timeout 30 squeue -h -a -w "$node" -t RUNNING,CONFIGURING,SUSPENDED,COMPLETING -o %A 2>/dev/null) || jobs=
  [ -n "$jobs" ]
}

remember() {
  printf '%s\n%s\n%s\n' "$now" "$counted" "$seen" >"$memory.new" && mv "$memory.new" "$memory"
}

begin_anew() {
  counted=0
  [ -z "$lease" ] || seen=$lease
  remember
}

# By which the manager knows whose drain it is.
identity() {
  case $record in *'Node Manager node '*) id=${record#*'Node Manager node '} ;; *) id= ;; esac
  id=${id%%[!A-Za-z0-9._-]*}
  if [ -z "$id" ] && [ "$cloud" = ec2 ]; then
    id=$(ec2 instance-id) || id=
  fi
}

# No job begins any more; then the last look. A drain of somebody else's stays as it is.
end() {
  drained='' state=''
  show
  case $record in *State=*) state=${record#*State=} ;; esac
  case ${state%% *} in
    '' | *DRAIN*) ;;
    *)
      identity
      scontrol update "NodeName=$node" State=DRAIN "Reason=Node Manager lease ($id)" 2>/dev/null && drained=yes
      ;;
  esac
  if works || is_renewed; then
    show # a manager that is back may have drained it for good meanwhile
    case $drained$record in
      yes*"Reason=Node Manager lease ($id)"*) scontrol update "NodeName=$node" State=RESUME 2>/dev/null ;;
    esac
    begin_anew
    return
  fi
  say "no manager has renewed the lease for $((counted / 60)) minutes and nothing runs: this machine ends"
  sh -c "$off"
}

is_number() {
  case $1 in '' | *[!0-9]*) return 1 ;; esac
}

read -r now _ <"$uptime" || exit 1
now=${now%%.*}
last='' counted='' seen=''
if [ -r "$memory" ]; then
  { read -r last; read -r counted; read -r seen; } <"$memory"
fi
is_number "$last" && is_number "$counted" && [ "$now" -ge "$last" ] || last=$now counted=0
passed=$((now - last))
[ "$passed" -le $((2 * every)) ] || passed=$every
if is_renewed || works; then
  begin_anew
else
  counted=$((counted + passed))
  remember
  [ "$counted" -lt "$limit" ] || end
fi
