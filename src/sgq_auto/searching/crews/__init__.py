"""Engines: what starts the workers of a command, and tells how they ended."""

from sgq_auto.searching.crews.crew import Crew
from sgq_auto.searching.crews.factory import crew_of

__all__ = ["Crew", "crew_of"]
