"""Packed models: sizes and bit packing. Imports numpy only, never torch or PyG."""

from sgq_auto.packed.codes import index_bits, pack_codes, packed_bytes, unpack_codes
from sgq_auto.packed.footprint import Footprint, FootprintModel, Objective, Part
from sgq_auto.packed.specs import FeatureSpec, GraphSpec, LayerSpec, ModelSpec

__all__ = [
    "FeatureSpec",
    "Footprint",
    "FootprintModel",
    "GraphSpec",
    "LayerSpec",
    "ModelSpec",
    "Objective",
    "Part",
    "index_bits",
    "pack_codes",
    "packed_bytes",
    "unpack_codes",
]
