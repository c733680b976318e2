# Arguments: the docker command, the image, then arguments for postgres.

prepare() {
	run "$1" image inspect --format '{{""}}' "$2" || run "$1" pull "$2"
}

# Not detached: so the end of the container is the end of this command, and its output is the log.
serve() {
	docker=$1 image=$2
	shift 2
	export POSTGRES_PASSWORD="$password"
	run "$docker" run --rm --name "$name" -p 127.0.0.1::5432 -e POSTGRES_PASSWORD "$image" postgres "$@"
}

# The run command itself gets no signal: it might be about to have the container made. With -v, because the image
# keeps its data in a volume.
halt() {
	if [ "$phase" = prepare ]; then
		kill -s TERM 0
	else
		"$docker" rm -f -v "$name" >/dev/null 2>&1
	fi
}

main "$@"
