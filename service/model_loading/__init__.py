"""Make a registered version ready to serve, in a process of its own, and check it before anybody is answered by it.

Used by the rollout. A worker reads the finished model bundle without scikit-learn, pandas or MLflow.
"""
