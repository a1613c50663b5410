"""Precision Explorer: the script that Streamlit runs."""

# Worker processes import this file too, under another name, and need nothing of it.
if __name__ == "__main__":
    from pages.ui.shell.router import route

    route()
