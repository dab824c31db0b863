"""Documentation: writes the generated reference pages, and gathers the pages and files of the site."""
