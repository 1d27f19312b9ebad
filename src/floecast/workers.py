"""Tasks on workers: processes of this machine, or jobs of SLURM, with Dask between them.

Imports nothing heavy, so that a worker loads JAX when its threads are set.
"""

import logging
import os
import time
import traceback
from collections import Counter, deque
from contextlib import contextmanager
from importlib.util import find_spec

from floecast.core.errors import FloecastError, InputError

DEATHS = 5
"""Workers that may die with a task before it is given up."""


def run_tasks(work, tasks, cluster):
    """Outcomes of tasks, as they come.

    Parameters
    ----------
    work : callable
        Of a module that workers can import; takes a task.
    tasks : dict
        By name.
    cluster : ClusterSection

    Yields
    ------
    name : str
    outcome : dict
        Of `attempt`; failed too if workers died with the task.
    """
    with client_of(cluster, len(tasks)) as client:
        from distributed import KilledWorker, as_completed

        waiting, deaths = deque(tasks), Counter()
        running = as_completed()

        def fill():
            # No more than there are workers: one that dies takes all that it was given along.
            while waiting and running.count() < workers_of(cluster):
                name = waiting.popleft()
                key = f"{name} {deaths[name]}"
                running.add(client.submit(attempt, work, tasks[name], key=key, pure=False))

        fill()
        for future in running:
            name = future.key.rpartition(" ")[0]
            try:
                outcome = future.result()
            except KilledWorker:
                deaths[name] += 1
                outcome = None
                if deaths[name] == DEATHS:
                    outcome = {
                        "status": "failed",
                        "error": f"{DEATHS} workers died with it, as when memory or wall time "
                        "ends; give them more by cluster.memory or cluster.walltime",
                    }
                else:
                    waiting.appendleft(name)
            fill()
            if outcome is not None:
                yield name, outcome


def attempt(work, task):
    """Do a task and tell how it went; an error is told, not raised.

    Parameters
    ----------
    work : callable
        Takes the task.
    task : object

    Returns
    -------
    dict
        ``status`` done or failed, ``seconds``, ``result`` or ``error`` in a line, and for an error
        that is not of floecast its ``traceback``.
    """
    began, told = time.perf_counter(), {}
    try:
        told |= {"status": "done", "result": work(task)}
    except FloecastError as error:
        told |= {"status": "failed", "error": str(error)}
    except Exception as error:  # told to the user by the farm, which goes on with the others
        text = " ".join(f"{type(error).__name__}: {error}".split())
        told |= {"status": "failed", "error": text, "traceback": traceback.format_exc()}
    return told | {"seconds": round(time.perf_counter() - began, 2)}


@contextmanager
def client_of(cluster, tasks):
    """Start workers and connect to them; they end with the block.

    Parameters
    ----------
    cluster : ClusterSection
    tasks : int
        Of which there is never more than one worker for each.

    Yields
    ------
    distributed.Client

    Raises
    ------
    InputError
        If Dask is not installed.

    Notes
    -----
    Each worker is a process of its own, started anew rather than forked, with one task at a time.
    Scheduler and workers speak TLS with a certificate made for the occasion, so that nobody else on
    the network can give them work.
    """
    for module in ("distributed", *["dask_jobqueue"] * (cluster.kind == "slurm")):
        if find_spec(module) is None:
            raise InputError(f"{module} is not installed; pip install 'floecast[cluster]'")
    import dask
    from distributed import Client

    settings = {
        "distributed.worker.multiprocessing-method": "spawn",
        "distributed.scheduler.allowed-failures": 0,  # counted here
        # Set by the worker before a task loads JAX.
        "distributed.nanny.environ": environment(cluster.threads),
    }
    with dask.config.set(settings), _started(cluster, tasks) as workers, Client(workers) as client:
        yield client


def environment(threads):
    """Variables that hold the libraries of a worker to so many threads.

    Parameters
    ----------
    threads : int

    Returns
    -------
    dict
        ``NPROC`` is the size of XLA's pool of threads for CPUs.
    """
    told = {name: str(threads) for name in ("NPROC", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    told["MKL_NUM_THREADS"] = str(threads)
    flags = os.environ.get("XLA_FLAGS", "")
    if threads == 1 and "xla_cpu_multi_thread_eigen" not in flags:
        flags = f"{flags} --xla_cpu_multi_thread_eigen=false".strip()
    return told | {"XLA_FLAGS": flags}


def workers_of(cluster):
    """Number of workers: as told, or as many as the cores of this process allow."""
    return cluster.workers or max(1, _cores() // cluster.threads)


def _cores():
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _started(cluster, tasks):
    if cluster.kind == "slurm":
        return slurm_cluster(cluster, tasks)
    from distributed import LocalCluster

    return LocalCluster(
        n_workers=min(workers_of(cluster), tasks),
        threads_per_worker=1,  # of Dask, each with a task
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        memory_limit=cluster.memory or 0,
        security=True,
        silence_logs=logging.CRITICAL,
    )


def slurm_cluster(cluster, tasks):
    """Jobs as they are needed, which come again when the wall time ends them.

    Parameters
    ----------
    cluster : ClusterSection
    tasks : int

    Returns
    -------
    dask_jobqueue.SLURMCluster
    """
    from dask_jobqueue import SLURMCluster

    told = {"shared_temp_directory": os.getcwd(), "log_directory": "slurm"} | cluster.options
    variables = [f"export {name}='{value}'" for name, value in environment(cluster.threads).items()]
    told["job_script_prologue"] = [*variables, *told.get("job_script_prologue", ())]
    jobs = SLURMCluster(
        cores=1,  # of Dask, each with a task
        processes=1,
        job_cpu=cluster.threads,
        memory=cluster.memory,
        walltime=cluster.walltime,
        security=True,
        scheduler_options={"dashboard": False},
        silence_logs=logging.CRITICAL,
        **told,
    )
    jobs.adapt(maximum_jobs=min(cluster.workers, tasks))
    return jobs
