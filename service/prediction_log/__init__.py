"""Keep every answered prediction: group commits to the store, a spool on disk while the store is away.

Used by the prediction use case before an answer is sent, so that `kill -9` right after it loses nothing.
"""
