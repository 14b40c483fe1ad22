"""HTTP as the routes need it: bodies and their limits, errors as problem documents, origin checks, rate limits, OpenAPI.

Used by the middleware, the readers of formats and the routes. It knows neither models nor stores.
"""
