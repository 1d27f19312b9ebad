"""Ensemble algebra: pytrees whose leaves carry the member axis first."""

import jax
import jax.numpy as jnp


def stack(members):
    """One ensemble from a sequence of states."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)


def member(ensemble, index):
    """State number `index` of an ensemble."""
    return jax.tree.map(lambda leaf: leaf[index], ensemble)


def count(ensemble):
    """Number of members."""
    return jax.tree.leaves(ensemble)[0].shape[0]


def mean(ensemble):
    """Mean over members."""
    return jax.tree.map(lambda leaf: jnp.mean(leaf, axis=0), ensemble)


def spread(ensemble):
    """Standard deviation over members (unbiased variance, N - 1)."""
    return jax.tree.map(lambda leaf: jnp.std(leaf, axis=0, ddof=1), ensemble)


def anomalies(ensemble):
    """Members minus their mean."""
    return jax.tree.map(lambda leaf: leaf - jnp.mean(leaf, axis=0, keepdims=True), ensemble)


def healthy(ensemble):
    """Flag of each member: True where all of its values are finite.

    Returns
    -------
    (member,) bool array
    """
    finite = [
        jnp.all(jnp.isfinite(leaf).reshape(leaf.shape[0], -1), axis=1)
        for leaf in jax.tree.leaves(ensemble)
    ]
    return jnp.all(jnp.stack(finite), axis=0)


def finite(state):
    """Whether all values of one state are finite."""
    return healthy(jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], state))[0]
