# Arguments: the directory of the server's binaries, how to reach the server that
# this one follows, or nothing, then arguments for postgres.

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

# No --auth=trust: the server listens on a port that every user of the machine can reach.
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
	do sleep 0.05; done
}

# A background process of a shell begins with SIGINT ignored. Postgres sets that right, a script cannot.
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
