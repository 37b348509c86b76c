#!/bin/bash
# Slurm's client commands read their configuration before their options: on a machine without a slurm.conf (an image that is
# being made, an admin's desk, a container) `squeue --version` and even `squeue --help` look for a server in the DNS, print
# four lines of errors and end with 1, whereas `slurmctld -V` and `slurmd -V` tell their version. The manual says of both
# options only that they print it and end. (26.05 does the same.) Ends with 0 while that is so.
set -euo pipefail
slurm=22.05.8-4+deb12u3 munge=0.5.15-2+deb12u1
cd "$(mktemp -d)"; here=$PWD
trap 'cd /; rm -rf "$here"' EXIT
apt-get -q download {slurmctld,slurmd,slurm-client,slurm-wlm-basic-plugins}=$slurm libmunge2=$munge \
  libhwloc15=2.9.0-1 libjson-c5=0.16-2 liblua5.1-0=5.1.5-9 libnuma1=2.0.16-1 libyaml-0-2=0.2.5-1 libreadline8=8.2-1.3 \
  libdbus-1-3=1.14.10-1~deb12u1 >apt.log 2>&1 || { cat apt.log; exit 2; }
for deb in *.deb; do dpkg -x "$deb" .; done
libs=$(dirname "$here"/usr/lib/*/slurm-wlm); for tool in slurmctld slurmd; do ln -s $tool-wlm usr/sbin/$tool; done
export LD_LIBRARY_PATH=$libs:$libs/slurm-wlm PATH=$here/usr/bin:$here/usr/sbin:$PATH
unset SLURM_CONF SLURM_CONF_SERVER
[ ! -e /etc/slurm/slurm.conf ] || { echo "this machine has a slurm.conf"; exit 2; }
slurmctld -V
good=yes
for command in 'slurmctld -V' 'slurmd -V'; do
  read -ra words <<< "$command"
  "${words[@]}" >/dev/null 2>&1 && echo "$command: 0" || { echo "$command: $?"; good=no; }
done
for command in 'squeue --version' 'sinfo --version' 'scontrol --version' 'sbatch --version' 'sacct --version' 'squeue --help'; do
  read -ra words <<< "$command"
  if "${words[@]}" >out 2>err; then echo "$command: 0"; good=no; else echo "$command: $?, $(tail -1 err)"; fi
  [ ! -s out ] || good=no
done
[ $good = yes ]
