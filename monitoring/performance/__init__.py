"""Judge the model by outcomes, and estimate its quality where there are none yet: concept drift by window and as a stream.

Used by the monitor.
"""
