"""Outcomes in the store: written once for a prediction, corrected where they were wrong, counted, and how late they come.

Used by the facade, by monitoring runs, and by what removes rows.
"""
