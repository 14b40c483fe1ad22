"""Mutation testing on a random sample: does a test fail when a statement is changed? See docs/mutation-testing.md."""
