"""The HTTP service: it predicts with the active model, logs every prediction, takes outcomes, and follows the champion.

Used by `churn serve` and the container image. `app.create_app` puts the parts together; `server.run` starts them under uvicorn.
"""
