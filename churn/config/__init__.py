"""Read what the operator decides: settings from the environment and from secret files, and the parameters of a training.

Every part of the system reads its settings here, and only its composition root does so. Nothing is read at import.
"""
