"""The deep challenger: a small neural network, trained by PyTorch (extra `deep`) and kept as plain numbers (docs/deep.md).

Only `churn.modeling.deep.torch_fit` imports PyTorch and skorch, and only where a network is fitted.
"""
