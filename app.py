"""Precision Explorer: what `streamlit run` serves, and the script that it runs for every page."""

# Worker processes import this file too, under another name, and need nothing of it.
if __name__ == "__main__":
    from pages.ui.shell.router import route

    route()
elif __name__ == "app":
    import streamlit as st
    from starlette.middleware import Middleware

    from pages.ui import readiness
    from pages.ui.shell.shield import Shield
    from pages.ui.upload.route import routes
    from pages.ui.upload.store import uploads

    readiness.allow_many_files()
    app = st.App(__file__, middleware=[Middleware(Shield)], routes=[readiness.ROUTE, *routes(uploads)])
