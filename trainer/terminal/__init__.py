"""What all programs show in a terminal: `progress`, and a quiet `startup`."""
