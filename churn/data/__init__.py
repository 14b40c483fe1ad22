"""Read labelled files into a dataset, or say which row, column and rule is wrong.

Used by training, evaluation, the drift command and the contract draft.
"""
