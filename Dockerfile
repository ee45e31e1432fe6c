# One image for every process of compose.yaml. `make components` runs these very commands, and what they make.

FROM python:3.11-slim-bookworm AS builder
WORKDIR /source
COPY requirements/build.txt requirements/image.txt requirements/
RUN python -m venv /build \
    && /build/bin/pip install --no-cache-dir --require-hashes --requirement requirements/build.txt
# A venv without pip: what runs can install nothing.
RUN python -m venv --without-pip /opt/coinbase_insights \
    && /build/bin/pip --python /opt/coinbase_insights/bin/python install --no-cache-dir --only-binary :all: \
    --require-hashes --requirement requirements/image.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN /build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /build/bin/pip --python /opt/coinbase_insights/bin/python install --no-cache-dir --no-deps /wheels/*.whl

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="coinbase_insights" \
    org.opencontainers.image.description="Coinbase's market-data feeds turned into insight" \
    org.opencontainers.image.licenses="Apache-2.0"
# A volume that is mounted here first takes the owner of the folder.
RUN mkdir -p /data && chown 65532:65532 /data
COPY --from=builder /opt/coinbase_insights /opt/coinbase_insights
# The root file system may be read-only: all that is written, the compiled rules too, goes into /data.
ENV PATH=/opt/coinbase_insights/bin:$PATH \
    HOME=/data \
    XDG_CACHE_HOME=/data/.cache \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 65532:65532
WORKDIR /data
# No HEALTHCHECK: the processes listen on different ports, or on none; compose.yaml asks each in its own way.
STOPSIGNAL SIGTERM
ENTRYPOINT ["coinbase_insights"]
CMD ["--help"]
