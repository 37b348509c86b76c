"""The command line by which a job of the site goes to a real Slurm."""

from __future__ import annotations

from arvnodeman.sandbox.slurm_jobs import FIRST_PRIORITY, SlurmJob
from arvnodeman.sandbox.slurm_side import Submit


def sbatch_command(job: SlurmJob, name: str, how: Submit) -> list[str]:
    """The command that submits a job: constraint for one that names a size, and what it needs of each node."""
    need = job.need
    again = "--requeue" if how.requeue else "--no-requeue"
    argv = ["sbatch", "--parsable", f"--nice={FIRST_PRIORITY - job.priority}", again, f"--job-name={name}"]
    argv += [f"--mem={need.memory}", f"--cpus-per-task={need.cores}", f"--tmp={need.tmp}", f"--nodes={need.nodes}"]
    argv += [f"--partition={need.partition}", "--output=/dev/null"]
    if need.gres:
        argv.append(f"--gres={need.gres}")
    if need.gpus:
        argv.append(f"--gpus={need.gpus}")
    if job.feature_text:
        argv.append(f"--constraint={job.feature_text}")
    if how.tasks > 1:
        argv.append(f"--array=1-{how.tasks}")
    if how.held:
        argv.append("--hold")
    return argv
