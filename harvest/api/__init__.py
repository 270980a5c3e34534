"""Harvest over HTTP: sign-in, rate limits, retries, pages, and no pipelines."""
