"""What operators register: entries in a document, planned against what is there, written as versions that are kept."""
