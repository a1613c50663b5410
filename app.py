"""Precision Explorer: the router of the dashboard."""

import streamlit as st

if __name__ == "__main__":
    st.set_page_config(page_title="Precision Explorer", layout="wide")
    st.title("Precision Explorer")
