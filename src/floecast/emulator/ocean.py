"""The ocean that an emulator knows where the forcing holds none."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from floecast.core.calendar import DAY

YEAR = 365.2425 * DAY
"""[s]"""
_HARMONICS = 2


class OceanClimatology(eqx.Module):
    """Mean and first two harmonics of the year.

    Parameters
    ----------
    current_u, current_v : (5, y, x) array
        Surface current along the grid's axes, T points [m/s]: mean, then cosine and sine of the
        annual and of the half-annual wave.
    ocean_temperature : (5, y, x) array
        To which the mixed layer is drawn [K].
    """

    current_u: Float[Array, "5 y x"]
    current_v: Float[Array, "5 y x"]
    ocean_temperature: Float[Array, "5 y x"]

    @classmethod
    def fit(cls, months):
        """The harmonics of monthly means.

        Parameters
        ----------
        months : dict of (12, y, x) arrays
            By the names of the fields.

        Returns
        -------
        OceanClimatology
        """
        middle = (np.arange(12) + 0.5) / 12
        waves = np.asarray(_waves(middle, np), float)
        fitted = np.linalg.pinv(waves.T)
        return cls(
            **{
                name: jnp.asarray(np.tensordot(fitted, np.asarray(months[name]), axes=1))
                for name in ("current_u", "current_v", "ocean_temperature")
            }
        )

    def between(self, start, end):
        """Fields at the two ends of a step, ``(2, y, x)`` each by name; times [s]."""
        phase = (jnp.stack([jnp.asarray(start), jnp.asarray(end)]) / YEAR) % 1.0
        waves = jnp.stack(_waves(phase, jnp), axis=1).astype(self.current_u.dtype)
        return {name: jnp.tensordot(waves, field, axes=1) for name, field in vars(self).items()}


def _waves(phase, numpy):
    """Mean and harmonics at a fraction of the year."""
    angles = [2 * np.pi * (n + 1) * phase for n in range(_HARMONICS)]
    waves = [wave(angle) for angle in angles for wave in (numpy.cos, numpy.sin)]
    return [numpy.ones_like(phase), *waves]
