"""A small cloud, queue and Slurm in virtual time, which drive a Fleet alone: months of operation in seconds."""
