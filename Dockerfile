# The service for a clinic: docs/service.md says how to run it.
#
#   docker build --tag cuewise .
#   docker run --rm --volume cuewise:/data cuewise token create ehr --scope analyze
#   docker run --read-only --tmpfs /tmp --volume cuewise:/data --publish 127.0.0.1:8000:8000 cuewise

ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/cuewise
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY analyzer analyzer
COPY models models
COPY api api
RUN /opt/cuewise/bin/pip install '.[service,postgres]'

FROM python:${PYTHON}-slim
RUN groupadd --gid 10001 cuewise && useradd --uid 10001 --gid cuewise --no-create-home --shell /usr/sbin/nologin cuewise \
 && install --directory --owner cuewise --group cuewise --mode 0700 /data
COPY --from=build /opt/cuewise /opt/cuewise
# Without any token the service answers only inside the container; a token opens it, see above.
ENV PATH=/opt/cuewise/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    CUEWISE_DATA_DIR=/data \
    CUEWISE_HOST=0.0.0.0 \
    CUEWISE_PORT=8000
USER cuewise
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"CUEWISE_PORT\"]}/healthz', timeout=4)"]
ENTRYPOINT ["cuewise"]
CMD ["serve"]
