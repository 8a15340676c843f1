"""The classroom: chapters handed out, solved, explained, graded."""
