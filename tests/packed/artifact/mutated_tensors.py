"""Tensors of the shapes that a changed header asks for, so that more than the checks is reached."""

from typing import Any

import numpy as np
from header_changes import one_of

from sgq_auto.packed.artifact.header import Header
from sgq_auto.packed.artifact.tensor_shapes import expected_tensors
from sgq_auto.packed.codes.bit_packing import index_bits, pack_codes

Tensors = dict[str, np.ndarray]
_MOST_BYTES = 1 << 21
_EXTREME = (0.0, -0.0, 1e-45, -1e-45, 1e-38, 1e-30, 1.0, 1e30, 3.4e38, -3.4e38, -1.0, 1e19)
_BROKEN = (np.nan, np.inf, -np.inf)
_TYPES = {"U8": np.uint8, "F32": np.float32}


def fitting(
    header: Header, held: Tensors, random: np.random.Generator, renewed: float, extreme: float
) -> Tensors:
    """Tensors of the shapes that a header asks for.

    Args:
        header: What they must fit.
        held: Tensors that are kept where they fit.
        random: Where chance comes from.
        renewed: The share of tensors that are made anew though they fit.
        extreme: The share of these with numbers of any size.

    Returns:
        They; none where the header asks for more than a test should make.
    """
    expected = expected_tensors(header)
    sizes = [int(np.prod(shape, dtype=object)) for _, shape in expected.values()]
    if sum(sizes) > _MOST_BYTES:
        return {}
    made: Tensors = {}
    for name, (kind, shape) in expected.items():
        old = held.get(name)
        fits = old is not None and old.dtype == _TYPES[kind] and old.shape == shape
        is_graph = name.startswith("edges.") or name == "bucket_map"
        share = renewed / 10 if is_graph else renewed
        if old is not None and fits and random.random() >= share:
            made[name] = _swapped(old, random) if random.random() < renewed / 5 else old
            continue
        is_extreme = bool(random.random() < extreme)
        made[name] = _tensor(name, kind, shape, random, is_extreme=is_extreme)
    return made | _patterns(header, made, held, random)


def _tensor(
    name: str, kind: str, shape: tuple[int, ...], random: np.random.Generator, *, is_extreme: bool
) -> np.ndarray:
    if kind == "U8":
        octets = random.integers(0, 256, shape).astype(np.uint8)
        return _octets(octets, random, is_extreme=is_extreme)
    if name.endswith(".scales"):
        return _scales(shape, random, is_extreme=is_extreme)
    values = random.normal(size=shape)
    if is_extreme:
        chosen = random.random(shape) < one_of(random, (0.05, 0.5, 1.0))
        values = np.where(chosen, random.choice(_EXTREME, shape), values)
        if random.random() < 0.03:
            values.flat[int(random.integers(values.size))] = one_of(random, _BROKEN)
    return values.astype(np.float32)


def _swapped(tensor: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A tensor with two of its elements swapped: of a pattern, as many bits are set as before."""
    changed = tensor.copy().reshape(-1)
    first, second = random.integers(0, changed.size, 2)
    changed[[first, second]] = changed[[second, first]]
    return changed.reshape(tensor.shape)


def _octets(octets: np.ndarray, random: np.random.Generator, *, is_extreme: bool) -> np.ndarray:
    """Bytes of codes; no fp32 value among them is NaN, but now and then."""
    if random.random() < 0.05:
        return octets
    if not is_extreme or octets.size % 4:
        return octets & np.uint8(0x3F)
    values = octets.view("<f4")
    fine = np.where(np.isfinite(values), values, np.float32(3e38)).astype("<f4")
    return fine.view(np.uint8)


def _scales(shape: tuple[int, ...], random: np.random.Generator, *, is_extreme: bool) -> np.ndarray:
    step = random.uniform(0.01, 0.3, shape[0])
    offset = random.normal(size=shape[0])
    if is_extreme:
        reach = one_of(random, (3, 10, 30, 38))
        step = 10.0 ** random.uniform(-reach - 5, reach - 5, shape[0])
        offset = random.choice([-1, 1, 0], shape[0]) * 10.0 ** random.uniform(
            -reach, reach, shape[0]
        )
    return np.stack([step, offset], axis=1).astype(np.float32)


def _patterns(header: Header, made: Tensors, held: Tensors, random: np.random.Generator) -> Tensors:
    """Features' patterns and buckets that are what the header counts, where those held are not."""
    graph, features = header.graph, header.graph.features
    found: Tensors = {}
    nodes = np.array(graph.bucket_nodes)
    if "bucket_map" in made and made["bucket_map"] is not held.get("bucket_map"):
        buckets = random.permutation(np.repeat(np.arange(nodes.size), nodes))
        found["bucket_map"] = pack_codes(buckets, index_bits(nodes.size - 1))
    names = [name for name in ("features.high", "features.low", "features.bitmap") if name in made]
    if not names or all(made[name] is held.get(name) for name in names):
        return found
    width, first, parts = features.num_features, 0, []
    for n, count in zip(graph.bucket_nodes, features.bucket_values, strict=True):
        places = random.choice(n * width, count, replace=False) if count else np.empty(0, int)
        parts.append(np.sort(places) + first * width)
        first += n
    positions = np.concatenate(parts).astype(np.int64)
    if "features.bitmap" in made:
        digits = np.zeros(graph.num_nodes * width, dtype=bool)
        digits[positions] = True
        return found | {"features.bitmap": np.packbits(digits, bitorder="little")}
    high, low = features.pattern(graph.num_nodes).encode_parts([positions])
    both: dict[str, Any] = {"features.high": high, "features.low": low}
    return found | {name: code for name, code in both.items() if code.size}
