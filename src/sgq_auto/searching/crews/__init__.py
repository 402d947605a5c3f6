"""Engines: what starts the workers of a command, and tells how they ended."""

from sgq_auto.searching.crews.crew import Crew
from sgq_auto.searching.crews.factory import check_crew, crew_of

__all__ = ["Crew", "check_crew", "crew_of"]
