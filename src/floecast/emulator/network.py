"""Land-aware U-Net with noise: from fields around a step to what happens in it."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from floecast.core.errors import InputError

WIDTHS = (16, 64, 96, 128)
"""Channels of the levels, each at half the resolution of the one before."""
NOISE_CHANNELS = 2
"""Fields of noise that enter each level."""


class Masks(eqx.Module):
    """Where there is sea at the levels of a network.

    Parameters
    ----------
    sea : tuple of (y, x, 1) arrays
        1 where a cell of the level holds any sea, else 0.
    share : tuple of (y, x, 1) arrays
        9 over the number of such cells in a window of three by three, by which a partial
        convolution (Liu et al. 2018, doi:10.1007/978-3-030-01252-6_6) makes up for land.
    """

    sea: tuple[np.ndarray, ...]
    share: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, grid, levels):
        """Masks of a grid.

        Raises
        ------
        InputError
            If the shape of the grid cannot be halved ``levels - 1`` times.
        """
        factor = 2 ** (levels - 1)
        if grid.shape[0] % factor or grid.shape[1] % factor:
            raise InputError(
                f"a network of {levels} levels needs rows and columns that are multiples of "
                f"{factor}; the grid {grid.name} has {grid.shape}"
            )
        sea, share, mask = [], [], np.asarray(grid.mask_t)
        for _ in range(levels):
            padded = np.pad(mask, 1).astype(int)
            ny, nx = mask.shape
            count = sum(padded[j : j + ny, i : i + nx] for j in range(3) for i in range(3))
            share.append(np.where(mask, 9.0 / np.maximum(count, 1), 0.0)[..., None])
            sea.append(mask[..., None].astype(float))
            mask = mask[: ny - ny % 2, : nx - nx % 2].reshape(ny // 2, 2, nx // 2, 2).any((1, 3))
        return cls(tuple(sea), tuple(share))


class Convolution(eqx.Module):
    """Convolution of ``(y, x, channel)`` fields that are 0 on land.

    Parameters
    ----------
    weight : (width, width, inputs, outputs) array
    bias : (outputs,) array
    stride : int
    """

    weight: Float[Array, "width width inputs outputs"]
    bias: Float[Array, " outputs"]
    stride: int = eqx.field(static=True)

    @classmethod
    def draw(cls, key, inputs, outputs, *, width=3, stride=1, gain=1.0):
        """Random weights, of variance ``gain^2 / inputs`` of a window."""
        scale = gain / np.sqrt(inputs * width**2)
        weight = scale * jax.random.truncated_normal(key, -2, 2, (width, width, inputs, outputs))
        return cls(weight, jnp.zeros(outputs), stride)

    def __call__(self, fields, share=None):
        """Convolved fields, times `share` before the bias is added."""
        result = jax.lax.conv_general_dilated(
            fields[None],
            self.weight,
            (self.stride, self.stride),
            "SAME" if self.stride == 1 else "VALID",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )[0]
        return (result if share is None else result * share) + self.bias[None, None]


class Block(eqx.Module):
    """Residual block whose features are scaled and shifted by noise; at first it changes nothing.

    Parameters
    ----------
    first, second : Convolution
    scale : (channel,) array
        Of the normalised features.
    from_noise : (noise, 2 channel) array or None
        From noise to the factor and the shift of each feature.
    """

    first: Convolution
    second: Convolution
    scale: Float[Array, " channel"]
    from_noise: Float[Array, "noise twochannel"] | None

    @classmethod
    def draw(cls, key, channels, *, noisy):
        """Random weights."""
        keys = jax.random.split(key, 3)
        from_noise = None
        if noisy:
            shape = NOISE_CHANNELS, 2 * channels
            from_noise = 0.1 * jax.random.normal(keys[2], shape)
        return cls(
            Convolution.draw(keys[0], channels, channels),
            Convolution.draw(keys[1], channels, channels, gain=0.1),
            jnp.ones(channels),
            from_noise,
        )

    def __call__(self, fields, sea, share, noise=None):
        """Features of the same shape."""
        size = jnp.mean(fields**2, axis=-1, keepdims=True)
        inner = self.first(fields * jax.lax.rsqrt(size + 1e-4) * self.scale[None, None], share)
        if noise is not None:
            factor, shift = jnp.split(noise @ self.from_noise, 2, axis=-1)
            inner = inner * (1.0 + factor) + shift
        return (fields + self.second(jax.nn.silu(inner) * sea, share)) * sea


class UNet(eqx.Module):
    """U-Net on ``(y, x, channel)`` fields.

    Parameters
    ----------
    entrance, exit : Convolution
    down, up : tuple of blocks
        Of each level; the noise enters on the way up.
    shrink, grow : tuple of Convolution
        Between the levels: two by two cells into one, and the channels of one for the finer.
    """

    entrance: Convolution
    exit: Convolution
    down: tuple[Block, ...]
    up: tuple[Block, ...]
    shrink: tuple[Convolution, ...]
    grow: tuple[Convolution, ...]

    @classmethod
    def draw(cls, key, inputs, outputs, widths=WIDTHS):
        """Random weights; the outputs are 0 until they are trained.

        Parameters
        ----------
        key : key
        inputs, outputs : int
            Channels.
        widths : sequence of int
            Channels of the levels.
        """
        levels = len(widths)
        keys = iter(jax.random.split(key, 4 * levels + 2))
        pairs = list(zip(widths[:-1], widths[1:], strict=True))
        return cls(
            entrance=Convolution.draw(next(keys), inputs, widths[0]),
            exit=Convolution.draw(next(keys), widths[0], outputs, gain=0.0),
            down=tuple(Block.draw(next(keys), width, noisy=False) for width in widths),
            up=tuple(Block.draw(next(keys), width, noisy=True) for width in widths),
            shrink=tuple(
                Convolution.draw(next(keys), fine, coarse, width=2, stride=2)
                for fine, coarse in pairs
            ),
            grow=tuple(
                Convolution.draw(next(keys), coarse, fine, width=1) for fine, coarse in pairs
            ),
        )

    @property
    def levels(self):
        """Number of resolutions."""
        return len(self.down)

    def noise_shapes(self, shape):
        """Shapes of the noise fields of a grid of `shape`, finest first."""
        ny, nx = shape
        return [(ny >> level, nx >> level, NOISE_CHANNELS) for level in range(self.levels)]

    def __call__(self, fields, masks, noise=None):
        """Outputs of a step.

        Parameters
        ----------
        fields : (y, x, inputs) array
            0 on land.
        masks : Masks
        noise : sequence of (y, x, noise) arrays, optional
            One for each level, finest first; none for the deterministic form.

        Returns
        -------
        (y, x, outputs) array
        """
        noise = [None] * self.levels if noise is None else noise
        fields, skips = self.entrance(fields, masks.share[0]) * masks.sea[0], []
        for level, block in enumerate(self.down):
            fields = block(fields, masks.sea[level], masks.share[level])
            if level < self.levels - 1:
                skips.append(fields)
                fields = self.shrink[level](fields) * masks.sea[level + 1]
        for level in reversed(range(self.levels)):
            if level < self.levels - 1:
                fields = (skips[level] + _refine(self.grow[level](fields))) * masks.sea[level]
            fields = self.up[level](fields, masks.sea[level], masks.share[level], noise[level])
        return self.exit(fields, masks.share[0]) * masks.sea[0]


def _refine(fields):
    """Fields at twice the resolution, linear between the centres of the cells.

    One set of weights for each of the two by two new cells would print its pattern on every step.
    """
    for axis in (0, 1):
        before, after = (jnp.roll(fields, shift, axis) for shift in (1, -1))
        both = jnp.stack([0.75 * fields + 0.25 * before, 0.75 * fields + 0.25 * after], axis + 1)
        shape = list(fields.shape)
        shape[axis] *= 2
        fields = both.reshape(shape)
    return fields
