"""`broker reconcile`: calls on record, held against what a provider says it charges for."""
