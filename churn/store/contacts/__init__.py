"""Contacts: who was acted on, by which campaign, and who wants to be left alone.

Written by `POST /contacts`; read by whatever learns from outcomes, and by the reports of campaigns.
"""
