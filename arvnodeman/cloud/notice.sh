#!/bin/sh
# Tells Slurm what the cloud says of this node: that it takes it back, or may do so soon.
#
#     notice.sh CLOUD NODE     CLOUD: ec2, gce, azure; NODE: its name in Slurm
#
# For the node itself, as root, for as long as it lives. A node that is taken back is drained, and its jobs are queued
# again; one that may be is given no new work for a while, and its jobs go on. The daemon knows these drains by their
# reasons. Needs curl, scontrol and squeue.
set -u

cloud=$1
node=$2
metadata=${NOTICE_METADATA:-http://169.254.169.254}
every=${NOTICE_EVERY:-5}                  # seconds
pause=${NOTICE_PAUSE:-600}                # seconds without new work for a node that may be taken back
memory=${NOTICE_MEMORY:-/run/arv-notice}  # a file: the last recommendation that was heeded, and until when
end_of_line='
'

say() {
  logger -t arv-notice -- "$*" 2>/dev/null || echo "arv-notice: $*" >&2
}

# ---- what the cloud says: true for an answer with status 200, and its body in $answer

ask() {
  reply=$(curl -s --noproxy '*' -m 3 -w '\n%{http_code}' "$@") || reply=
  status=${reply##*"$end_of_line"}
  answer=${reply%"$end_of_line"*}
  [ "$status" = 200 ]
}

token=

ec2_token() {
  ask -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 21600' "$metadata/latest/api/token" && token=$answer
}

ec2() {
  [ -n "$token" ] || ec2_token || return 1
  ask -H "X-aws-ec2-metadata-token: $token" "$metadata/latest/meta-data/$1" && return
  [ "$status" = 401 ] && ec2_token && ask -H "X-aws-ec2-metadata-token: $token" "$metadata/latest/meta-data/$1"
}

gce() {
  ask -H 'Metadata-Flavor: Google' "$metadata/computeMetadata/v1/instance/$1"
}

azure() {
  ask -H 'Metadata: true' "$metadata/metadata/$1"
}

# By which the daemon knows this node.
identity() {
  case $cloud in
    ec2) ec2 instance-id ;;
    gce) gce id ;;
    azure) azure 'instance/compute/name?api-version=2021-02-01&format=text' ;;
  esac && id=$answer && [ -n "$id" ]
}

# $taken: it is taken back; $lost: at once, with its jobs; $risk: it may be.
look() {
  taken='' lost='' risk=''
  case $cloud in
    ec2) look_at_ec2 ;;
    gce) look_at_gce ;;
    azure) look_at_azure ;;
  esac
}

look_at_ec2() {
  if ec2 spot/instance-action; then
    case $answer in *'"action"'*) taken=$answer lost=yes ;; esac
  fi
  if ec2 events/recommendations/rebalance; then
    case $answer in *'"noticeTime"'*) risk=$(printf '%s' "$answer" | tr -d ' \t\n') ;; esac
  fi
}

look_at_gce() {
  if gce maintenance-event && [ "$answer" = TERMINATE_ON_HOST_MAINTENANCE ]; then
    taken=$answer
  fi
  if gce preempted && [ "$answer" = TRUE ]; then
    taken=preempted lost=yes
  fi
}

# One event is one object, with no other object in it.
look_at_azure() {
  azure 'scheduledevents?api-version=2020-07-01' || return
  mine=$(printf '%s' "$answer" | tr -d '\n' | tr '{}' '[\n*]' | grep -iF "\"$id\"" | tr -d ' ')
  case $mine in
    *'"EventType":"Preempt"'*) taken=$mine lost=yes ;;
    *'"EventType":"Terminate"'* | *'"EventType":"Redeploy"'* | *'"EventType":"Reboot"'*) taken=$mine ;;
  esac
}

# ---- what Slurm is told: false where it is to be told again

shown() {
  record=$(scontrol -o show node "$node" 2>/dev/null) || return 1
  state=${record#*State=}
  state=${state%% *}
  reason=
  case $record in *Reason=*) reason=${record#*Reason=} ;; esac
  case $state in
    *DRAIN*) ;;
    *) reason='' ;;
  esac
}

drain() {
  scontrol update "NodeName=$node" State=DRAIN "Reason=$1 ($id)" 2>/dev/null && say "$node is drained: $1"
}

# A drain of somebody else's keeps its reason.
leave() {
  shown || return 1
  case $state:$reason in
    *DRAIN*:'Node Manager notice'*) ;;
    *DRAIN*:'Node Manager'*) drain 'Node Manager notice' || return 1 ;;
    *DRAIN*) ;;
    *) drain 'Node Manager notice' || return 1 ;;
  esac
  [ -n "$lost" ] || return 0
  jobs=$(squeue -h -w "$node" -t RUNNING,CONFIGURING,SUSPENDED -o %A) || return 1
  for job in $jobs; do
    if told=$(scontrol requeue "$job" 2>&1); then
      say "job $job is queued again"
    else
      say "job $job cannot be queued again: $told"
    fi
  done
}

heeded='' until=''

remember() {
  printf '%s\n%s\n' "$heeded" "$until" >"$memory.new" && mv "$memory.new" "$memory"
}

# Once for each recommendation: it stays for as long as the node lives.
rest() {
  [ "$risk" != "$heeded" ] && shown || return 0
  case $state:$reason in
    *DRAIN*:"Node Manager rebalance ($id)"*) until=$(($(date +%s) + pause)) ;;
    *DRAIN*) ;;
    *) drain 'Node Manager rebalance' && until=$(($(date +%s) + pause)) || return 0 ;;
  esac
  heeded=$risk
  remember
}

resume() {
  [ -n "$until" ] && [ "$(date +%s)" -ge "$until" ] && shown || return 0
  case $reason in
    "Node Manager rebalance ($id)"*) scontrol update "NodeName=$node" State=RESUME 2>/dev/null || return 0 ;;
  esac
  until=
  remember
  say "$node takes new work again"
}

if [ -r "$memory" ]; then
  { read -r heeded; read -r until; } <"$memory"
fi
until identity; do sleep "$every"; done
say "watching for notices of $cloud to $id, which is $node in Slurm"
while :; do
  look
  if [ -n "$taken" ]; then
    leave && [ -n "$lost" ] && exit 0
  else
    [ -z "$risk" ] || rest
    resume
  fi
  sleep "$every"
done
