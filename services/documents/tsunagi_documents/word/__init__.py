"""The Word templates, the script that draws them, and the process that fills them."""
