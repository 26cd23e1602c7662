# One image for all processes; the command says which: `sync`, `web`, `worker` or `up`.
FROM python:3.13-slim AS build
COPY . /src
RUN python -m venv /opt/headrace && /opt/headrace/bin/pip install --no-cache-dir '/src[all]'

FROM python:3.13-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends git openssh-client tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --create-home --home-dir /var/lib/headrace headrace
COPY --from=build /opt/headrace /opt/headrace
ENV PATH=/opt/headrace/bin:$PATH HEADRACE_HOME=/var/lib/headrace
USER headrace
WORKDIR /var/lib/headrace
ENTRYPOINT ["tini", "--", "headrace"]
CMD ["up", "--no-demo"]
