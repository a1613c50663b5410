"""Precision Explorer: what `streamlit run` serves, and the script that it runs for every page."""

# Worker processes import this file too, under another name, and need nothing of it.
if __name__ == "__main__":
    from pages.ui.shell.router import route

    route()
elif __name__ == "app":
    import streamlit as st
    from starlette.middleware import Middleware

    from pages.ui.shell.shield import Shield

    app = st.App(__file__, middleware=[Middleware(Shield)])
