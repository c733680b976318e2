#!/bin/sh
# Makes images of Postgres from Debian's packages, where no registry can be
# reached, under the names of the official ones:
#
#	build.sh 15 17 18
#
# Needs root, debootstrap, a Docker engine, and Debian's mirror: $MIRROR.
set -eu
cd "$(dirname "$0")"
: "${MIRROR:=http://deb.debian.org/debian}"

for version; do
	case $version in
	15) suite=bookworm ;;
	17) suite=trixie ;;
	18) suite=sid ;; # until it is in a release
	*) echo "no Debian release has Postgres $version" >&2; exit 1 ;;
	esac
	root=$(mktemp -d)
	trap 'rm -rf "$root"' EXIT
	debootstrap --variant=minbase --include="postgresql-$version" "$suite" "$root" "$MIRROR"
	install -m 755 entrypoint.sh "$root/usr/local/bin/docker-entrypoint.sh"
	tar -C "$root" -c --exclude='./var/lib/postgresql/*/main' --exclude='./var/cache/apt/*' --exclude='./var/lib/apt/lists/*' \
		--exclude='./etc/ssl/private/*' . |
		docker import \
			--change 'ENTRYPOINT ["/usr/local/bin/docker-entrypoint.sh"]' --change 'CMD ["postgres"]' --change 'EXPOSE 5432' \
			--change 'ENV PGDATA=/var/lib/postgresql/data LANG=C.UTF-8' - "postgres:$version"
	rm -rf "$root"
done
