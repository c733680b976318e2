#!/bin/sh
# As much of the official image's entry point as the tests need: a new cluster,
# whose superuser is postgres with the password in POSTGRES_PASSWORD.
set -eu
bin=$(echo /usr/lib/postgresql/*/bin)
postgres() { setpriv --reuid=postgres --regid=postgres --init-groups "$@"; }

if [ ! -s "$PGDATA/PG_VERSION" ]; then
	install -d -o postgres -g postgres -m 700 "$PGDATA"
	password=$(mktemp)
	echo "$POSTGRES_PASSWORD" >"$password"
	chown postgres "$password"
	postgres "$bin/initdb" -D "$PGDATA" -U postgres -E UTF8 --no-sync --auth=scram-sha-256 --pwfile="$password"
	rm "$password"
	echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
fi
shift # the word "postgres"
exec setpriv --reuid=postgres --regid=postgres --init-groups "$bin/postgres" -c listen_addresses='*' "$@"
