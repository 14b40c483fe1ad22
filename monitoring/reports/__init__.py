"""Write what people read of a monitoring run: a one-page summary and Evidently's reports.

Used by the monitoring flow. The only package that imports Evidently.
"""
