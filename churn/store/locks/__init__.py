"""Do something on one host at a time: a lock that belongs to a process and ends with it, however that ends.

Used for training and for moving the champion. Nothing expires while a holder works, and a killed holder leaves nothing behind.
"""
