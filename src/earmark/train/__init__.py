"""Training: everything that needs the `train` extra and never runs in the detector."""
