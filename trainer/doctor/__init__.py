"""Says what a training would meet on this machine, before it starts."""
