"""Dropout from a counter-based generator: no mask is stored, the seed makes it again."""

import numba
import numpy as np

from sgq_auto.compute.kernel_compiler import Array, compiled

_u32 = numba.uint32


def dropout(x: Array, p: float, seed: int, out: Array) -> None:
    """``out = x / (1 - p)``, or 0 with probability ``p``.

    Equal seeds drop equal positions. The bits are MurmurHash3's finalizer (Appleby, public
    domain) of the position, with half of the mixed seed added before and half in between.

    Args:
        x: ``[n]`` fp32.
        p: Probability, to 32 bits.
        seed: 64 bits.
        out: ``[n]`` fp32.
    """
    threshold, scale = round(p * (2**32 - 1)), 1 / (1 - p) if p < 1 else 0
    _dropout(x, np.uint32(threshold), np.float32(scale), np.uint64(seed), out)


@compiled()
def _dropout(x, threshold, scale, seed, out):
    # Neighbouring seeds must not give neighbouring bits: mixed first (SplitMix64's finalizer).
    mixed = np.uint64(seed)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed = mixed ^ (mixed >> np.uint64(31))
    first, second = _u32(mixed), _u32(mixed >> np.uint64(32))
    for k in range(x.size):
        bits = _u32(_u32(k) * _u32(0x9E3779B9) + first)
        bits = _u32(_u32(bits ^ (bits >> _u32(16))) * _u32(0x85EBCA6B))
        bits = _u32(_u32(bits ^ second ^ (bits >> _u32(13))) * _u32(0xC2B2AE35))
        bits = _u32(bits ^ (bits >> _u32(16)))
        out[k] = scale * x[k] if bits >= threshold else numba.float32(0)
