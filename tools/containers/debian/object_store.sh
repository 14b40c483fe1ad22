#!/bin/sh
# Stands for MinIO's program: `server FOLDER --address ADDRESS` with MinIO's own variables, served by `rclone serve s3`.
set -eu

[ "$1" = server ] && [ "$3" = --address ]
# In the environment, for a command line is everybody's to read. The quotes are those of CSV: both words are one entry.
RCLONE_AUTH_KEY="\"$MINIO_ROOT_USER,$(cat "$MINIO_ROOT_PASSWORD_FILE")\""
export RCLONE_AUTH_KEY
exec rclone serve s3 --config /tmp/rclone.conf --addr "$4" "$2"
