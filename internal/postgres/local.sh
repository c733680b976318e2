# Arguments: the directory of the server's binaries, the connection string of the
# primary or nothing, then the arguments for postgres.

prepare() {
	if [ -n "$2" ]; then
		export PGPASSWORD="$password"
		run "$1/pg_basebackup" -D "$dir/data" -d "$2" -R -c fast -X stream
		set -- "$?"
		unset PGPASSWORD
		return "$1"
	fi
	cat >"$dir/password" <<END
$password
END
	create "$1" C.UTF-8 || create "$1" C || return
	rm "$dir/password"
}

# Not --auth=trust: every user of the machine can reach the server's port.
create() {
	run "$1/initdb" -D "$dir/data" -U postgres -E UTF8 --locale="$2" \
		--no-sync --auth=scram-sha-256 --pwfile="$dir/password"
}

serve() {
	bin=$1
	shift 2
	while
		run "$bin/postgres" -D "$dir/data" "$@"
		[ -e "$dir/restart" ] # see Server.Restart
	do while sleep 0.05; [ -e "$dir/hold" ]; do :; done; done
}

# A background process of a shell starts with SIGINT ignored. Postgres resets that, but a script cannot.
halt() {
	if [ "$phase" = prepare ]; then
		kill -s TERM 0
	elif [ "$n" -lt 200 ]; then
		kill -s INT 0 # fast shutdown
	else
		kill -s QUIT 0 # immediate shutdown
	fi
}

main "$@"
