"""Packed models: sizes, bit packing, artifacts, and a runtime of numpy (and numba, if there).

``load(path).predict()`` needs numpy and safetensors only; nothing here imports torch or PyG.
"""

from sgq_auto.objective import Objective
from sgq_auto.packed.artifact.artifact_file import ArtifactError, load, save
from sgq_auto.packed.codes.bit_packing import index_bits, pack_codes, packed_bytes, unpack_codes
from sgq_auto.packed.device.write_c import write_c
from sgq_auto.packed.runtime.packed_model import PackedModel
from sgq_auto.packed.sizes.buffers import Part
from sgq_auto.packed.sizes.device_footprint import DeviceFootprint
from sgq_auto.packed.sizes.footprint import Footprint, FootprintModel
from sgq_auto.packed.sizes.shape_specs import FeatureSpec, GraphSpec, LayerSpec, ModelSpec

__all__ = [
    "ArtifactError",
    "DeviceFootprint",
    "FeatureSpec",
    "Footprint",
    "FootprintModel",
    "GraphSpec",
    "LayerSpec",
    "ModelSpec",
    "Objective",
    "PackedModel",
    "Part",
    "index_bits",
    "load",
    "pack_codes",
    "packed_bytes",
    "save",
    "unpack_codes",
    "write_c",
]
