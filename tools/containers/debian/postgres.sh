#!/bin/sh
# Stands for the entrypoint of Docker's official image of PostgreSQL, as far as compose.yaml and k8s/ use it: makes the cluster in a
# new volume, runs what is mounted under /docker-entrypoint-initdb.d, and becomes the server.
set -eu

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  user=${POSTGRES_USER:-postgres}
  password=/tmp/.password
  if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
    POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
  fi
  (umask 077 && printf '%s\n' "$POSTGRES_PASSWORD" > "$password")
  # Its options are words. Like the image's: trust on its own socket, passwords from anywhere else.
  # shellcheck disable=SC2086
  initdb --username="$user" --pwfile="$password" --auth-local=trust ${POSTGRES_INITDB_ARGS:-}
  rm "$password"
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
  printf "listen_addresses = '*'\nunix_socket_directories = '/tmp'\n" >> "$PGDATA/postgresql.conf"
  pg_ctl --wait --silent --options='-c listen_addresses=' start
  if [ "${POSTGRES_DB:-$user}" != postgres ]; then
    createdb --username="$user" "${POSTGRES_DB:-$user}"
  fi
  for script in /docker-entrypoint-initdb.d/*.sql; do
    [ ! -f "$script" ] || psql --no-psqlrc --set=ON_ERROR_STOP=1 --username="$user" --dbname="${POSTGRES_DB:-$user}" --file="$script"
  done
  pg_ctl --wait --silent --mode=fast stop
fi
if [ $# -eq 0 ]; then
  set -- postgres
fi
exec "$@"
