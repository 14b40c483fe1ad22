"""Make a registered version ready to serve, in a process of its own, and check it before it predicts for anybody.

Used by the rollout. A worker reads the finished model bundle without scikit-learn, pandas or MLflow.
"""
