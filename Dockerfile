# The programs that stand in for TraderX, and the worker: one image, which `make image` gives the
# name and the entry point of each (the list is src/traderx_embedded/container_images.py).
ARG PYTHON=python:3.11-slim

FROM ${PYTHON} AS packages
COPY image.lock /tmp/image.lock
RUN pip install --no-cache-dir --no-compile --require-hashes --target /app -r /tmp/image.lock

FROM ${PYTHON}
COPY --from=packages /app /app
COPY src /app
ENV PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
ENTRYPOINT ["python3", "-m"]
