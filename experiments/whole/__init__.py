"""A whole run as users of each library would write it, for `experiments.whole_run`."""
