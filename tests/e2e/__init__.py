"""Tests of the whole stack, deployed by SAM onto the embedded cloud."""
