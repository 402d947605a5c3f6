"""The commands: what each prints and asks for; the work is done in the rooms below."""
