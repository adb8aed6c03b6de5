"""A page to write digits on, read by a trained model while writing."""
