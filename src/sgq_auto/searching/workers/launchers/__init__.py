"""Launchers: what starts the workers of a command, and says how they ended."""

from sgq_auto.searching.workers.launchers.launcher import Launcher
from sgq_auto.searching.workers.launchers.make_launcher import check_launcher, launcher_for

__all__ = ["Launcher", "check_launcher", "launcher_for"]
