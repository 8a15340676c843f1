"""One training step as users of each library would write it, for `experiments.speed`."""
