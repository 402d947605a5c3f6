"""Pictures in files of their own: the front, and the sensitivities."""
