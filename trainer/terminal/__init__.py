"""The terminal output of all programs: `progress`, and a quiet `startup`."""
