"""Engines: what starts the workers of a command, and tells how they ended."""

from sgq_auto.searching.workers.launchers.factory import check_crew, crew_of
from sgq_auto.searching.workers.launchers.launcher import Crew

__all__ = ["Crew", "check_crew", "crew_of"]
