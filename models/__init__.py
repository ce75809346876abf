"""Trained models: text in, probabilities out. Nothing is trained yet; the seam is in analyzer.labels."""
