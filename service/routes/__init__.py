"""The routes, by theme."""
