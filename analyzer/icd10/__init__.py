"""ICD-10-CM: what codes exist and exclude each other, and which of them a note supports."""
