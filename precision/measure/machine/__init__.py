"""This machine: its devices, what time and memory a run takes, how fast operators are."""
