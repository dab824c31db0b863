"""Looking at a labelled folder: its labels, its texts, and the view that suits its images."""
