"""The page where people judge captions: a small server on loopback, and what the browser runs.

Nothing heavy is imported here; `serving` brings FastAPI and uvicorn.
"""
