"""The vocabulary: what channels and we publish, and the envelope of both. Imports nothing of ours."""
