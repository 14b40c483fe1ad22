#!/bin/sh
# with-secrets.sh NAME... -- COMMAND...: set each NAME to what the file NAME_FILE holds, then become COMMAND.
#
# MLflow, Prefect and boto3 read their passwords from the environment only. This way it is that of one process: neither compose.yaml,
# nor `docker inspect`, nor `ps` shows them.
set -eu
while [ "$1" != -- ]; do
  eval "file=\${$1_FILE}"
  value=$(cat "$file")
  if [ -z "$value" ]; then
    echo "$1_FILE: $file is empty" >&2
    exit 2
  fi
  export "$1=$value"
  shift
done
shift
exec "$@"
