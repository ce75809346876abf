"""Labelled notes and what is made of them; nothing here is imported by the analyzer."""
