"""Files of customers into files of answers: the same rules and the same numbers as the service, in bounded memory, at any size.

A `plan` splits the input into parts, `part` scores one of them, `output` keeps the folder of answers whole, `run` does it all.
A part is the same bytes wherever it is made: on threads here, or on a cluster (`pipelines.flows.dask_cluster`).
"""
