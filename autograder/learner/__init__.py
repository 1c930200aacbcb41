"""One person on one machine: the workspace, watching it, explaining mistakes."""
