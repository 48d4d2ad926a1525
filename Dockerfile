# crosstrail for linux/arm64 and linux/amd64. Nothing is compiled: every library has wheels for both, checked by hash.
#   BASE_IMAGE  Debian with Python 3.13. Its present digest is what to build a release on: the one here is of September 2026
#   LIBRARIES   lake: with the embedded lake; plain: live accounts only, about half the size
#   TELEMETRY   plain, or aws: AWS's distribution of OpenTelemetry, and its releases of it, instead
#   WRAP        for --target wrap: a foreign MCP server's package, in an environment of its own beside crosstrail
#   WRAP_COMMAND  its command, where that is not called as the package
ARG BASE_IMAGE=python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

FROM ${BASE_IMAGE} AS base

# Locks are complete: nothing is resolved when they are installed, and the check after it fails where something is missing.
FROM base AS tools
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt UV_LINK_MODE=copy UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never
COPY deploy/image/tools.lock /build/
RUN python3 -m venv /build/tools \
 && /build/tools/bin/python -m pip install --quiet --no-cache-dir --no-deps --require-hashes --only-binary :all: -r /build/tools.lock \
 && /build/tools/bin/python -m pip check

FROM tools AS build
ARG LIBRARIES=lake
ARG TELEMETRY=plain
COPY deploy/image/*.lock /build/
RUN /build/tools/bin/uv venv --quiet --python python3 /opt/crosstrail \
 && /build/tools/bin/uv pip install --quiet --python /opt/crosstrail --no-deps --require-hashes --only-binary :all: -r /build/${LIBRARIES}.lock \
 && case "${TELEMETRY}" in \
      plain) ;; \
      aws) /build/tools/bin/uv pip freeze --python /opt/crosstrail | sed -n 's/==.*//; /^opentelemetry/p' \
             | xargs /build/tools/bin/uv pip uninstall --quiet --python /opt/crosstrail \
           && /build/tools/bin/uv pip install --quiet --python /opt/crosstrail --no-deps --require-hashes --only-binary :all: -r /build/aws.lock ;; \
      *) echo "TELEMETRY is plain or aws" >&2; exit 1 ;; \
    esac
COPY pyproject.toml README.md README.zh-CN.md CHANGELOG.md LICENSE /build/source/
COPY docs /build/source/docs
COPY src /build/source/src
RUN cd /build/source && /build/tools/bin/python -m hatchling build -t wheel -d /build/dist \
 && /build/tools/bin/uv pip install --quiet --python /opt/crosstrail --no-deps /build/dist/*.whl \
 && /build/tools/bin/uv pip check --python /opt/crosstrail
COPY deploy/image/prune.py deploy/image/root.py deploy/image/start.py /build/
# /data is anybody's to write, as /tmp is: Docker gives a tmpfs over it its mode, and root as its owner.
RUN cp /build/start.py /opt/crosstrail/ && python3 /build/prune.py /opt/crosstrail \
 && python3 /build/root.py /opt/crosstrail /build/root \
 && install -d -m 1777 -o 10001 -g 10001 /build/places/data

FROM tools AS foreign
ARG WRAP=
ARG WRAP_COMMAND=
RUN test -n "${WRAP}" || { echo "name the package to wrap: --build-arg WRAP=PACKAGE" >&2; exit 1; } \
 && /build/tools/bin/uv venv --quiet --python python3 /opt/wrapped \
 && /build/tools/bin/uv pip install --quiet --python /opt/wrapped --only-binary :all: --compile-bytecode -- "${WRAP}" \
 && name="${WRAP_COMMAND:-$(printf %s "${WRAP}" | sed 's/[^A-Za-z0-9._-].*//')}" \
 && { test -f "/opt/wrapped/bin/${name}" \
      || { echo "${WRAP} has no command ${name}: name one by --build-arg WRAP_COMMAND=COMMAND" >&2; ls /opt/wrapped/bin >&2; exit 1; }; } \
 && ln -s "${name}" /opt/wrapped/bin/server

# What the two images have in common. Neither is built on the base: `serve` has no shell and no package manager.
FROM scratch AS settings
ARG BASE_IMAGE
ARG VERSION=0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="crosstrail" \
      org.opencontainers.image.description="Who did what, where and when, in every account of every cloud: an MCP server for audit trails" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${BASE_IMAGE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV PATH=/opt/crosstrail/bin:/usr/local/bin:/usr/bin:/bin PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp XDG_DATA_HOME=/data CROSSTRAIL_LAKE=/data/lake CROSSTRAIL_HOST=0.0.0.0 CROSSTRAIL_BEHIND_PROXY=true
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=6s --start-period=20s --retries=3 CMD ["crosstrail", "check", "--ping"]
ENTRYPOINT ["/opt/crosstrail/bin/python", "/opt/crosstrail/start.py"]

# All of the base is here: what a foreign server needs of it is not known.
FROM settings AS wrap
COPY --from=base / /
COPY --from=build /opt/crosstrail /opt/crosstrail
COPY --from=foreign /opt/wrapped /opt/wrapped
COPY --from=build /build/places /
WORKDIR /tmp
CMD ["wrap", "--transport", "http", "--host", "0.0.0.0", "--port", "8000", "--", "/opt/wrapped/bin/server"]

FROM settings AS serve
COPY --from=build /build/root /
COPY --from=base /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /opt/crosstrail /opt/crosstrail
COPY --from=build /build/places /
WORKDIR /tmp
CMD ["serve", "--transport", "http", "--host", "0.0.0.0", "--port", "8000", "--behind-proxy"]
