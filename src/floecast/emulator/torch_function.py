"""A PyTorch module as a JAX function with exact derivatives.

JAX calls the module from inside of compiled functions. Three primitives tell JAX what it needs: the
value, the derivative along a direction (PyTorch's forward mode), and the adjoint of it (PyTorch's
reverse mode). The last two are each other's transpose, so that `jax.jvp`, `jax.linearize`,
`jax.vjp` and `jax.grad` all work on the same function. Arrays that `jax.vmap` maps over reach the
module as one batch.
"""

import copy
import threading
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.buffer_callback import buffer_callback
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from floecast.core.errors import InputError

# PyTorch keeps the level of forward differentiation for the whole process, not for each thread.
_FORWARD_MODE = threading.Lock()


class TorchFunction:
    """A function of channels on a grid, computed by PyTorch and differentiated by JAX.

    It keeps a copy of the module in evaluation mode: what happens to the module afterwards does
    not matter. Two functions are equal only if they are the same object, as for `jax.jit`.

    Parameters
    ----------
    module : torch.nn.Module
        Maps a tensor ``(batch, inputs, y, x)`` to ``(batch, outputs, y, x)``, each element of the
        batch by itself, and the same input always to the same output.
    inputs, outputs : int
        Number of channels.
    shape : (int, int)
        Cells along y and x.

    Raises
    ------
    InputError
        If PyTorch is not installed, or a trial on random input shows that the module does not
        take these channels, gives others, is random, mixes the elements of a batch or cannot be
        differentiated.

    Notes
    -----
    The module computes in the precision of its argument: a float64 argument goes to a copy of the
    module with float64 weights, where dot-product tests hold to round-off. The trial is made for
    each precision before its first use. The module works where its weights are; arrays pass through
    the memory of the host. Second derivatives are refused.
    """

    def __init__(self, module, inputs, outputs, shape):
        torch = _torch()
        if not isinstance(module, torch.nn.Module):
            raise InputError(f"expected a torch.nn.Module, not {type(module).__name__}")
        self._torch = torch
        self._inputs, self._outputs = inputs, outputs
        weights = [*module.parameters(), *module.buffers()]
        self._device = weights[0].device if weights else torch.device("cpu")
        try:
            self._original = copy.deepcopy(module).eval().requires_grad_(False)
        except Exception as error:
            raise InputError(f"the module cannot be copied: {_first_line(error)}") from error
        self._by_precision = {}
        self._prepare(jnp.zeros(()).dtype.name, shape)

    def __call__(self, channels):
        """The module's answer to an array ``(inputs, y, x)``, as an array ``(outputs, y, x)``."""
        self._prepare(channels.dtype.name, channels.shape[-2:])
        return _value.bind(channels, function=self)

    def value(self, channels):
        """The same for NumPy arrays with any leading axes; so are the next two."""
        with self._torch.no_grad():
            answer = self._module(channels)(self._tensor(channels))
        return self._array(answer, channels)

    def tangent(self, channels, change):
        """Derivative of the answer along a change of the channels."""
        module, point, direction = self._module(channels), *map(self._tensor, (channels, change))
        attention = self._torch.nn.attention
        plain = attention.sdpa_kernel(attention.SDPBackend.MATH)  # the others lack the forward mode
        with _FORWARD_MODE, plain, self._torch.no_grad():
            _, answer = self._torch.func.jvp(module, (point,), (direction,))
        return self._array(answer, channels)

    def adjoint(self, channels, weight):
        """Derivative by the channels of the answer's product with a weight."""
        point, weight = map(self._tensor, (channels, weight))
        point.requires_grad_()
        with self._torch.enable_grad():
            # A module may begin with an operation in place, which a leaf does not admit.
            answer = self._module(channels)(point.clone())
            (slope,) = self._torch.autograd.grad(answer, point, weight.to(answer.dtype))
        return self._array(slope, channels)

    def _module(self, channels):
        return self._by_precision[channels.dtype.name]

    def _tensor(self, array):
        """A batch on the device; a copy, because a module may work in place."""
        array = np.asarray(array)  # not jnp: waiting for JAX inside of a callback may never end
        tensor = self._torch.tensor(array, device=self._device)
        return tensor.reshape(-1, *array.shape[-3:])

    def _array(self, tensor, like):
        """A tensor as an array with the leading axes and the precision of another."""
        tensor = tensor.detach().cpu().reshape(*like.shape[:-3], *tensor.shape[1:])
        return tensor.numpy().astype(like.dtype, copy=False)

    def _prepare(self, precision, shape):
        """Have the module in a precision, tried; at the first use and before anything runs."""
        if precision in self._by_precision:
            return
        if precision not in ("float32", "float64"):
            raise InputError(f"PyTorch emulators compute in float32 or float64, not {precision}")
        module = copy.deepcopy(self._original)
        module = module.double() if precision == "float64" else module.float()
        self._by_precision[precision] = module
        try:
            self._try(precision, shape)
        except InputError:
            del self._by_precision[precision]
            raise

    def _try(self, precision, shape):
        """Refuse a module that cannot do its work; see the class."""
        rng = np.random.default_rng(0)
        channels, change = rng.normal(size=(2, 2, self._inputs, *shape)).astype(precision)
        weight = rng.normal(size=(2, self._outputs, *shape)).astype(precision)
        cells = f"{shape[0]} x {shape[1]} cells"
        try:
            answer = self._module(channels)(self._tensor(channels))
        except Exception as error:
            raise InputError(
                f"the module does not take {self._inputs} channels, the number of `inputs`, on "
                f"{cells} in {precision}: {_first_line(error)}"
            ) from error
        if not isinstance(answer, self._torch.Tensor) or answer.shape != weight.shape:
            found = tuple(getattr(answer, "shape", ())) or type(answer).__name__
            raise InputError(
                f"the module gives {found} for a batch of 2; expected {weight.shape}: "
                f"{self._outputs} channels, the number of `outputs`, on {cells}"
            )
        answer, alone = self._array(answer, channels)[:1], self.value(channels[:1])
        if not np.allclose(answer, alone, 1e-3, 1e-4, equal_nan=True):
            raise InputError(
                "the module gives two answers to one input: its noise must come in as an input "
                "channel 'noise', and no element of a batch may see the others"
            )
        channels, change, weight = channels[:1], change[:1], weight[:1]
        try:
            tangent, adjoint = self.tangent(channels, change), self.adjoint(channels, weight)
        except Exception as error:
            raise InputError(f"the module has no derivative: {_first_line(error)}") from error
        along, back = tangent.astype(float) * weight, adjoint.astype(float) * change
        if abs(along.sum() - back.sum()) > 1e-3 * np.sqrt(np.sum(along**2) + np.sum(back**2)):
            raise InputError(
                "the module's derivative is cut somewhere inside, as by detach() or no_grad(): "
                "its forward and reverse modes disagree"
            )


def _torch():
    """PyTorch, or an InputError that tells how to get it."""
    try:
        import torch
        import torch.nn.attention
    except ModuleNotFoundError as error:
        raise InputError(
            "PyTorch is not installed: pip install 'floecast[torch]', or torch by itself"
        ) from error
    return torch


def _first_line(error):
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


@dataclass(frozen=True)
class _Fill:
    """Calls a method of a function on buffers of JAX, without copies of them."""

    function: TorchFunction
    method: str

    def __call__(self, context, out, *arrays):
        method = getattr(self.function, self.method)
        np.asarray(out)[...] = method(*(np.asarray(array) for array in arrays))


def _primitive(name, outputs):
    """A primitive that calls a method of its parameter `function` on the host.

    Parameters
    ----------
    name : str
        Of the method.
    outputs : callable
        Number of channels that come out, from the function and the arguments.
    """
    primitive = Primitive(f"torch_{name}")

    def call(*arrays, function):
        shape = (*arrays[0].shape[:-3], outputs(function, *arrays), *arrays[0].shape[-2:])
        result = jax.ShapeDtypeStruct(shape, arrays[0].dtype)
        method = getattr(function, name)
        return jax.pure_callback(method, result, *arrays, vmap_method="broadcast_all")

    # `pure_callback` makes JAX arrays of the arguments first. To do so on the CPU it waits for a
    # thread, and if there is but one core the callback itself has taken the last.
    def call_on_cpu(*arrays, function):
        shape = (*arrays[0].shape[:-3], outputs(function, *arrays), *arrays[0].shape[-2:])
        result = jax.ShapeDtypeStruct(shape, arrays[0].dtype)
        return buffer_callback(_Fill(function, name), result)(*arrays)

    def abstract(*arrays, function):
        shape = list(arrays[0].shape)
        shape[-3] = outputs(function, *arrays)
        return arrays[0].update(shape=tuple(shape), weak_type=False)

    def batch(arrays, axes, *, function):
        (size,) = {a.shape[i] for a, i in zip(arrays, axes, strict=True) if i is not None}
        arrays = [
            jnp.broadcast_to(array, (size, *array.shape))
            if axis is None
            else jnp.moveaxis(array, axis, 0)
            for array, axis in zip(arrays, axes, strict=True)
        ]
        return primitive.bind(*arrays, function=function), 0

    primitive.def_impl(jax.jit(primitive.bind, static_argnames="function"))
    primitive.def_abstract_eval(abstract)
    mlir.register_lowering(primitive, mlir.lower_fun(call, multiple_results=False))
    on_cpu = mlir.lower_fun(call_on_cpu, multiple_results=False)
    mlir.register_lowering(primitive, on_cpu, platform="cpu")
    batching.primitive_batchers[primitive] = batch
    return primitive


_value = _primitive("value", lambda function, channels: function._outputs)
_tangent = _primitive("tangent", lambda function, channels, change: function._outputs)
_adjoint = _primitive("adjoint", lambda function, channels, weight: channels.shape[-3])


def _differentiate_value(primals, tangents, *, function):
    (channels,), (change,) = primals, tangents
    change = ad.instantiate_zeros(change)
    answer = _value.bind(channels, function=function)
    return answer, _tangent.bind(channels, change, function=function)


def _linear(primitive, transposed):
    """Teach JAX that a primitive is linear in its second argument, and its transpose."""

    def differentiate(primals, tangents, *, function):
        (channels, change), (by_channels, by_change) = primals, tangents
        if type(by_channels) is not ad.Zero:
            raise InputError(
                "a PyTorch emulator has no second derivative: differentiate its step only once"
            )
        answer = primitive.bind(channels, change, function=function)
        return answer, primitive.bind(channels, by_change, function=function)

    def transpose(weight, channels, change, *, function):
        if type(weight) is ad.Zero:
            return None, ad.Zero(change.aval)
        return None, transposed.bind(channels, weight, function=function)

    ad.primitive_jvps[primitive] = differentiate
    ad.primitive_transposes[primitive] = transpose


ad.primitive_jvps[_value] = _differentiate_value
_linear(_tangent, _adjoint)
_linear(_adjoint, _tangent)
