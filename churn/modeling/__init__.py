"""Make the model: features, rules, the pipeline of imputer, scaler and logistic regression, its tuning and its threshold.

Used by the training flow, by the DVC stages and by `churn train`. The same data, parameters and seed give the same model.
"""
