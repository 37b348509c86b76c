#!/bin/sh
# User data for EC2 nodes made from any image: [Cloud Create] user_data = /etc/arvados-node-manager/user-data.sh
#
# The daemon puts values in the place of the names in braces; every brace that is meant as such is doubled. The image
# needs curl, munge, slurmd, the cluster's munge key and slurm.conf, and something that runs this as root (cloud-init).
set -u

ping_url='{ping_url}'
hostname='{hostname}'
metadata=http://169.254.169.254/latest

# The id by which EC2 knows this node; with a session token, which works whatever `imds` says.
token=$(curl -sf -m 10 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' $metadata/api/token)
instance_id=$(curl -sf -m 10 -H "X-aws-ec2-metadata-token: $token" $metadata/meta-data/instance-id)

# Scratch space: the volume that a size with `scratch` gets, under the name that this type gives it.
for device in /dev/xvdt /dev/sdt /dev/nvme1n1; do
  if [ -b $device ]; then
    mkfs.ext4 -q $device && mount $device /tmp && chmod 1777 /tmp
    break
  fi
done

memory=$(awk '/^MemTotal/ {{ print int($2 / 1024) }}' /proc/meminfo)
scratch=$(df -Pm /tmp | awk 'NR == 2 {{ print $2 }}')

# Says that this node is there; prints the HTTP status.
ping() {{
  curl -s -m 30 -o /run/arvados-pong.json -w '%{{http_code}}' -X POST "$ping_url" \
    -d "instance_id=$instance_id" -d "total_cpu_cores=$(nproc)" -d "total_ram_mb=$memory" \
    -d "total_scratch_mb=$scratch"
}}

until [ "$(ping)" = 200 ]; do sleep 10; done

hostnamectl set-hostname "$hostname"
systemctl restart munge slurmd
scontrol update "NodeName=$hostname" State=RESUME

# Tells Slurm when EC2 is about to take this node back.
{notice_watch}

# Ends this node once nobody manages it, where node_lease says so.
{lease_watch}

# For as long as the node lives. 401: its record belongs to another node now, and this one is not to work on.
while sleep 60; do
  [ "$(ping)" = 401 ] && poweroff
done &
