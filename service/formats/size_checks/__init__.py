"""Compute how large a columnar body becomes in memory from its metadata alone, before anything is decoded.

Used by the readers of Arrow and Parquet.
"""
