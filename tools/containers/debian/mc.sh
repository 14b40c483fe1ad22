#!/bin/sh
# Stands for `mc ready local` of MinIO's image: does the store take connections?
exec python3 -c 'import socket; socket.create_connection(("127.0.0.1", 9000), 2)'
