"""Arvados Node Manager: boots cloud compute nodes when jobs wait in a Slurm queue, and destroys them when they idle."""
