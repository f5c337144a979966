"""Tests: units with fakes, contracts, adapters on moto, and the whole stack on the embedded cloud."""
