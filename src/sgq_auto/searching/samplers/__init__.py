"""Samplers of this project."""

from sgq_auto.searching.samplers.auto_bit import AutoBitSampler
from sgq_auto.searching.samplers.informed import InformedSampler
from sgq_auto.searching.samplers.knowledge import Knowledge
from sgq_auto.searching.samplers.paper import PaperSampler

__all__ = ["AutoBitSampler", "InformedSampler", "Knowledge", "PaperSampler"]
