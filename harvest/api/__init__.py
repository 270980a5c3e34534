"""Harvest over HTTP: sign-in, rate limits, retries, pages. Knows nothing of pipelines."""
