"""Compare a window of customers with the reference, with a false-alarm rate that is a setting.

Five families of tests (location, shape, levels, faults, dependence) share it. Used by the monitor and by `churn drift`.
"""
