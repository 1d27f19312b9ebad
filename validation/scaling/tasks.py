"""A task of the farm that is measured: arithmetic alone, nothing to compile."""

import time

import numpy as np

SIDE, ROUNDS = 256, 25


def transforms(seed):
    """Fourier transforms of a random field, there and back.

    Parameters
    ----------
    seed : int

    Returns
    -------
    dict
        ``cpu`` of it [s] and the ``sum`` of what comes out.
    """
    began = time.process_time()
    field = np.random.default_rng(seed).normal(size=(SIDE, SIDE))
    for _ in range(ROUNDS):
        field = np.fft.ifft2(np.fft.fft2(field)).real
    return {"cpu": time.process_time() - began, "sum": float(np.abs(field).sum())}
