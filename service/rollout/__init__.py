"""Which model serves: follow the champion, activate a model without a failed request, watch it on probation, roll back.

The challenger predicts in the shadow of the champion. Used by the prediction use case, which asks for the active model, and by
the routes of /model and /admin.
"""
