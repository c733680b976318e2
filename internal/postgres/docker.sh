# Arguments: the docker command, the image, then the arguments for postgres.

prepare() {
	run "$1" image inspect --format '{{""}}' "$2" || run "$1" pull "$2"
}

# The container is not detached: this command ends with it, and its output is the log.
serve() {
	docker=$1 image=$2
	shift 2
	export POSTGRES_PASSWORD="$password"
	run "$docker" run --rm --name "$name" -p 127.0.0.1::5432 -e POSTGRES_PASSWORD "$image" postgres "$@"
}

# The run command gets no signal, as it may be about to create the container. -v removes
# the volume in which the image keeps its data.
halt() {
	if [ "$phase" = prepare ]; then
		kill -s TERM 0
	else
		"$docker" rm -f -v "$name" >/dev/null 2>&1
	fi
}

main "$@"
