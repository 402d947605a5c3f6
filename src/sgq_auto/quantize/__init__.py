"""Quantization: bits and a plain PyG model make a quantization-aware model."""

from sgq_auto.quantize.bind import bind
from sgq_auto.quantize.forward.model_output import TakesLogits, check_logits, returning_logits
from sgq_auto.quantize.forward.plain_run import run_plain
from sgq_auto.quantize.plain_comparison import in_order_of
from sgq_auto.quantize.prepare import (
    GenericLayerWarning,
    generic_layers,
    plain_state,
    prepare,
    unused_weights,
)
from sgq_auto.quantize.program.convert import convert, unpackable_reason
from sgq_auto.quantize.program.device_shape import device_sizes
from sgq_auto.quantize.program.model_trace import trace_model, trace_spec
from sgq_auto.quantize.quantizers.fake_quantizers import (
    ConstantQuantizer,
    FakeQuantizer,
    LearnedQuantizer,
    MinMaxQuantizer,
    freeze_ranges,
)
from sgq_auto.settings.root_settings import RangeMode

__all__ = [
    "ConstantQuantizer",
    "FakeQuantizer",
    "GenericLayerWarning",
    "LearnedQuantizer",
    "MinMaxQuantizer",
    "RangeMode",
    "TakesLogits",
    "bind",
    "check_logits",
    "convert",
    "device_sizes",
    "freeze_ranges",
    "generic_layers",
    "in_order_of",
    "plain_state",
    "prepare",
    "returning_logits",
    "run_plain",
    "trace_model",
    "trace_spec",
    "unpackable_reason",
    "unused_weights",
]
