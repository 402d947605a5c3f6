"""Quantization: bits and a plain PyG model make a quantization-aware model."""

from sgq_auto.quantize.convert import convert
from sgq_auto.quantize.fake_quantizers import (
    ConstantQuantizer,
    FakeQuantizer,
    LearnedQuantizer,
    MinMaxQuantizer,
    freeze_ranges,
)
from sgq_auto.quantize.prepare import plain_state, prepare, trace_spec
from sgq_auto.quantize.ranges import RangeMode

__all__ = [
    "ConstantQuantizer",
    "FakeQuantizer",
    "LearnedQuantizer",
    "MinMaxQuantizer",
    "RangeMode",
    "convert",
    "freeze_ranges",
    "plain_state",
    "prepare",
    "trace_spec",
]
