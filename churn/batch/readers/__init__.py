"""Read the parts of input files piece by piece: CSV in chunks, Parquet by row groups, and the column of ids."""
