# The image of Watchkeeper: the console is built in the first stage, the second carries only what runs.
FROM python:3.11-slim AS build
WORKDIR /source
RUN pip install --no-cache-dir uv
COPY . .
RUN uv build --wheel --out-dir /wheels \
 && uv export --no-dev --no-emit-project --no-hashes --format requirements-txt -o /wheels/requirements.txt

FROM python:3.11-slim
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir -r /wheels/requirements.txt numba && pip install --no-cache-dir --no-deps /wheels/*.whl \
 && rm -r /wheels && useradd --create-home watchkeeper && install -d -o watchkeeper /var/lib/watchkeeper
USER watchkeeper
ENV WATCHKEEPER_DATA_DIR=/var/lib/watchkeeper WATCHKEEPER_HOST=0.0.0.0
EXPOSE 8080
ENTRYPOINT ["watchkeeper"]
CMD ["run"]
