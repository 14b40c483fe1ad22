"""Turn the fitted pipeline into plain numbers that answer in microseconds.

The compiler reads a pipeline once; the compiled model needs neither scikit-learn nor pandas. Used by the service, by batch
scoring and by the exact explanations.
"""
