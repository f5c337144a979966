"""What is checked: a function each, from a deployed stack to what is wrong with it."""
