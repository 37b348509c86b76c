"""A site's first files, of a few answers: configuration, part of slurm.conf, user data, the unit's drop-in."""
