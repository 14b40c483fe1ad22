"""What is run on the tree and its environment, and is no part of what is shipped."""
