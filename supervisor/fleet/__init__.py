"""The fleet: every actor the root knows, the process of each incarnation, and how they are born, watched and buried."""
