"""Predictions in the store: write rows fast, in each kind of database its own way; read them whole, or a window in parts.

Used by the service's prediction log, by the monitor and by training on labelled predictions.
"""
