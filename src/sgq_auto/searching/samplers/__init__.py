"""Samplers of this project."""

from sgq_auto.searching.samplers.auto_bit import AutoBitSampler
from sgq_auto.searching.samplers.base_sampler import InformedSampler
from sgq_auto.searching.samplers.prior_knowledge import Knowledge
from sgq_auto.searching.samplers.sgquant_sampler import PaperSampler

__all__ = ["AutoBitSampler", "InformedSampler", "Knowledge", "PaperSampler"]
