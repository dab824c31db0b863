"""Looking at a labelled folder: where its labels are, and what its texts are like."""
