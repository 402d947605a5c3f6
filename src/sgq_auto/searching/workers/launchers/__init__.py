"""Launchers: what starts the workers of a command, and says how they ended."""

from sgq_auto.searching.workers.launchers.factory import check_launcher, launcher_for
from sgq_auto.searching.workers.launchers.launcher import Launcher

__all__ = ["Launcher", "check_launcher", "launcher_for"]
