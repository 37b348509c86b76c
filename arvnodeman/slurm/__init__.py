"""The way to Slurm, through its commands."""
