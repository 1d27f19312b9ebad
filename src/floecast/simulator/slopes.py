"""Pointwise stages of a kernel whose derivatives are written out."""

from functools import partial

import jax
from jax.custom_derivatives import SymbolicZero

from floecast.core.materialised import materialised


def by_slopes(stage, slopes, cut):
    """The stage with its results stored, see `core.materialised`, and a derivative by rule.

    Parameters
    ----------
    stage : callable
        Of vectors and scalars; gives its value, a vector, and a tuple of vectors of which the
        slopes are made.
    slopes : callable
        Of the value, the tuple of these vectors and the list of the arguments; gives the partial
        derivative by each argument, vectors too. Only those of what moves are computed.
    cut : callable
        Applied to each vector before.

    Returns
    -------
    callable
        Gives the value. Its tangent is the sum of slopes times tangents. Left to itself, XLA for
        CPUs computes most of the stage again for every argument in the reverse pass.
    """

    def inside(vectors):
        return [vector if vector.ndim == 0 else cut(vector) for vector in vectors]

    @jax.custom_jvp
    def value(*given):
        return materialised(lambda *given: stage(*inside(given))[0])(*given)

    @partial(value.defjvp, symbolic_zeros=True)
    def _(given, tangents):
        moving = [not isinstance(tangent, SymbolicZero) for tangent in tangents]

        @materialised
        def needed(found, kept, *given):
            every = slopes(found, kept, inside(given))
            return [slope for slope, moves in zip(every, moving, strict=True) if moves]

        found, kept = materialised(lambda *given: stage(*inside(given)))(*given)
        tangents = inside([t for t, moves in zip(tangents, moving, strict=True) if moves])
        parts = zip(needed(found, kept, *given), tangents, strict=True)
        terms = [slope * tangent for slope, tangent in parts]
        return found, sum(terms[1:], terms[0])

    return value
