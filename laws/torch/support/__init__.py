"""What the comparisons with PyTorch share: files, problems, oracles, the accuracy rule, and running the tool."""
