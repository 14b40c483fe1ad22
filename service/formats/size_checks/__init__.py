"""Say what a columnar body will weigh in memory from its metadata alone, before anything is decoded.

Used by the readers of Arrow and Parquet.
"""
