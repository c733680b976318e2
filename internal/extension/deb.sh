#!/bin/sh
# Builds a Debian package of the command and the extension: deb.sh DIRECTORY
set -eu
out=$1
tree=$out/deb
rm -rf "$tree"
version=$(go run ./internal/extension/write "$out/extension")
arch=$(dpkg --print-architecture)

for major in 14 15 16 17 18; do
	install -D -m 644 -t "$tree/usr/share/postgresql/$major/extension" "$out"/extension/pgmq.control "$out/extension/pgmq--$version.sql"
done
install -d "$tree/usr/bin" "$tree/DEBIAN"
CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o "$tree/usr/bin/pgmq" ./cmd/pgmq
cat > "$tree/DEBIAN/control" <<EOF
Package: pgmq
Version: $version
Architecture: $arch
Maintainer: PGMQ for Go <https://github.com/pgmq-go/pgmq>
Section: database
Priority: optional
Enhances: postgresql-14, postgresql-15, postgresql-16, postgresql-17, postgresql-18
Description: message queue on plain Postgres
 The command pgmq, and the extension of the same name for the servers of this
 machine: SQS-like queues in tables, with PGMQ's SQL API.
EOF
dpkg-deb --root-owner-group --build "$tree" "$out/pgmq_${version}_$arch.deb"
