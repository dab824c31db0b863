"""Sources, views and splits: from images and labels to batches."""
