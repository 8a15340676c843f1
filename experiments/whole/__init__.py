"""A whole run as each library's own users write it, for `experiments.whole_run`."""
