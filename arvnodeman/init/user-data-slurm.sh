#!/bin/sh
# User data for nodes of a cluster where Slurm keeps the node records: Arvados from 3.0 on, or Slurm alone.
# [Cloud Create] user_data = /etc/arvados-node-manager/user-data-slurm.sh
#
# For a stock Debian 12 or 13 image with the packages slurmd and munge, and something that runs this as root (cloud-init).
# Disable the slurmd of the image (`systemctl disable slurmd`): this script starts it. Debian 13 would start it earlier,
# without a configuration, and the boot would wait for it.
# The daemon puts the node's name in the place of the name in braces; every other brace is doubled. Edit the two lines
# below. slurm.conf on the controller needs SlurmctldParameters=enable_configless: the node then asks it for slurm.conf.
set -eu

controller='slurmctld.example.com:6817'
cluster_key=/etc/arvados-node-manager/munge.key

hostname='{hostname}'

fail() {{
  echo "user data: $*" >&2
  exit 1
}}

# The cluster's munge key is a secret, and user data is none: every process on the node can read it. It comes with the
# image, or is fetched here by what the node's own role may read. (The package munge makes a key of its own, which no
# other machine knows: left in place, slurmctld refuses the node.)
[ -s "$cluster_key" ] || fail "there is no munge key of the cluster in $cluster_key"
install -o munge -g munge -m 0400 "$cluster_key" /etc/munge/munge.key

# The node is to find itself by its name; nothing else has to.
hostname "$hostname"
echo "$hostname" > /etc/hostname
address=$(ip -4 -o address show scope global | awk 'NR == 1 {{ sub("/.*", "", $4); print $4 }}')
[ -n "$address" ] || fail "the node has no address"
echo "$address $hostname" >> /etc/hosts

if [ -d /run/systemd/system ]; then
  # Debian's unit starts slurmd only where there is a slurm.conf; here that comes from the controller.
  mkdir -p /run/systemd/system/slurmd.service.d
  printf '[Unit]\nConditionPathExists=\n' > /run/systemd/system/slurmd.service.d/configless.conf
  echo "SLURMD_OPTIONS='-N $hostname --conf-server $controller'" > /etc/default/slurmd
  systemctl daemon-reload
  systemctl restart munge slurmd
else
  install -d -o munge -g munge -m 0755 /run/munge
  runuser -u munge -- /usr/sbin/munged
  /usr/sbin/slurmd -N "$hostname" --conf-server "$controller"
fi

# Tells Slurm when the cloud is about to take this node back.
{notice_watch}

# Ends this node once nobody manages it, where node_lease says so.
{lease_watch}
