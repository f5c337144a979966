"""Odd replies on order: what services really send, and no reference shows, each in its own words.

A format's replies by order are its module's `REPLIES`; those of Bedrock are given by the embedded cloud.
"""
