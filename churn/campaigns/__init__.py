"""Campaigns: whom the company acts on, whom it leaves alone, and what that brought.

The control group is chosen here; contacts lie in `churn.store.contacts`.
"""
