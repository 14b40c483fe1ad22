"""The race of drift detectors: false alarms, shifts found, changes in outcome streams, and what a monitoring run costs."""
