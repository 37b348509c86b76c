"""A whole site on loopback: an Arvados API, a cloud, Slurm commands, compute nodes and a workload."""
