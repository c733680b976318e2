#!/bin/sh
# Build, migrate, start. Each step may be repeated: run this again when it was cut
# off, and run it twice to see that nothing changes. DATABASE_URL names the database.
#
#   go install github.com/pressly/goose/v3/cmd/goose@latest
#   sh examples/deploy/deploy.sh
#
# There are two histories, and goose keeps a version table for each. That of schema
# pgmq comes with the version of pgmq that go.mod names. The application's is in
# migrations/, where each queue is a file between those of the tables:
#
#   pgmq queue migration newsletters > migrations/00002_pgmq_newsletters.sql
set -eu
: "${DATABASE_URL:?it must name the database}"
cd "$(dirname "$0")"
build=../../build/deploy

rm -rf "$build"
go build -o "$build/" . ../../cmd/pgmq
"$build/pgmq" migrate export "$build/migrations" >/dev/null

# Without the settings of pgx's pool, which goose does not know.
GOOSE_DBSTRING=$(printf %s "$DATABASE_URL" | sed -E 's/(pool_[a-z_]+|default_query_exec_mode|[a-z]+_cache_capacity)=[^&]*&?//g; s/[?&]$//')
export GOOSE_DRIVER=postgres GOOSE_DBSTRING
GOOSE_TABLE=public.pgmq_schema_version goose -dir "$build/migrations" up
GOOSE_TABLE=goose_db_version goose -dir migrations up

exec "$build/deploy" # which gets the SIGTERM that ends this script
