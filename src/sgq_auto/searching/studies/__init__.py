"""Studies as a whole: opened again, merged, archived, and how far they may be trusted."""
