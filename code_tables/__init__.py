"""How the ICD-10-CM tables in ``analyzer/lexicons/icd10/`` are made; the analyzer imports nothing from here."""
