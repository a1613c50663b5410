# CPU image:   docker build -t precision-explorer .
# CUDA image:  docker build -t precision-explorer --build-arg TORCH=cuda .
FROM python:3.11-slim

# cpu or cuda
ARG TORCH=cpu

WORKDIR /app

# CPU: the wheel that pip's own configuration offers, else the one of PyTorch's index; neither is waited for.
# The version is pinned in requirements.txt. Headers, tests and their programs are not needed to run.
COPY requirements.txt ./
# hadolint ignore=DL3013
RUN torch=$(grep -o '^torch==[0-9.]*' requirements.txt) && \
    case "$TORCH" in \
      cpu)  pip install --no-cache-dir --no-compile --no-deps "$torch+cpu" || \
            pip install --no-cache-dir --no-compile --no-deps --retries 1 --timeout 20 \
                --index-url https://download.pytorch.org/whl/cpu "$torch+cpu" ;; \
      cuda) pip install --no-cache-dir --no-compile "$torch" ;; \
      *)    echo "TORCH is cpu or cuda, not $TORCH" >&2; exit 1 ;; \
    esac && \
    site=$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/torch && \
    rm -rf "$site/include" "$site/share" "$site/test" && \
    find "$site/bin" -type f ! -name torch_shm_manager -delete

# Byte code is compiled here: a read-only root file system keeps none, and every start would compile it again.
RUN pip install --no-cache-dir --no-compile -r requirements.txt && \
    stdlib=$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))') && \
    find "$stdlib/site-packages" -type d -name tests -prune -exec rm -rf {} + && \
    { python -m compileall -qq -j 0 --invalidation-mode unchecked-hash "$stdlib" || true; } && \
    python -c 'import torch, transformers, distributed, streamlit, plotly, pandas'

COPY LICENSE app.py ./
COPY .streamlit .streamlit
COPY docs docs
COPY precision precision
COPY pages pages
RUN python -m compileall -q --invalidation-mode unchecked-hash . && \
    mkdir /data && chown 10001:10001 /data

# Everything that is ever written lies in /data (kept) or /tmp (not kept).
ENV HOME=/app \
    PYTHONUNBUFFERED=1 \
    PRECISION_DATA=/data \
    PRECISION_MODEL_ROOTS=/data \
    HF_HOME=/data/huggingface \
    TORCHINDUCTOR_CACHE_DIR=/tmp/torchinductor \
    NUMBA_CACHE_DIR=/tmp/numba \
    STREAMLIT_SERVER_ADDRESS=0.0.0.0
VOLUME /data
USER 10001:10001
EXPOSE 8501

# The server says that it is well and that a job could run, and the page is really served. Proxy settings must not apply.
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 CMD ["python", "-c", \
    "from urllib.request import ProxyHandler, build_opener; get = build_opener(ProxyHandler({})).open; \
     at = 'http://127.0.0.1:8501/'; well = get(at + '_stcore/health', timeout=4).read() == b'ok'; \
     well = well and get(at + 'ready', timeout=4).status == 200; \
     raise SystemExit(not (well and b'<title>' in get(at, timeout=4).read()))"]

CMD ["streamlit", "run", "app.py"]
