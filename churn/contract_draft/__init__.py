"""Draft a contract from any labelled file, so that another company's export can be used without a change of code.

Used by `churn data describe`. A person reads the draft and mends it before anything trusts it.
"""
