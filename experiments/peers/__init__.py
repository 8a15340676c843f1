"""One training step, written as each library's own users write it, for `experiments.speed`."""
