"""What the API answers: lists, pages, reports, and who may see what."""
