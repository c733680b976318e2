# pgmq: starts a private Postgres, stops it when standard input ends, and leaves nothing behind.
#
# What follows this text says how: prepare and serve run commands, halt asks the running one to end.
# Everything started from here stays in this process group, so one kill reaches all of it, wrapper scripts included.
name=$1 dir=
phase=prepare
n=0

# run runs a command in the background, because only the wait for such a one is interrupted by a trap.
run() {
	"$@" </dev/null >>"$dir/log" 2>&1 &
	wait "$!"
}

# stop runs on SIGTERM. It asks again and again: a process that has just begun may miss the first time.
stop() {
	trap '' TERM HUP
	while kill -0 "$!" 2>/dev/null && [ "$n" -lt 600 ]; do
		if [ "$n" -lt 500 ]; then halt; else kill -s KILL "$!"; fi
		sleep 0.02
		n=$((n + 1))
	done
	finish
}

finish() {
	trap '' TERM HUP
	status=0
	halt
	[ ! -f "$dir/log" ] || tail -n 8 "$dir/log"
	kill -s KILL "$watcher" # a new subshell can miss SIGTERM
	wait "$watcher"
	kill -s TERM 0 # whatever else there is
	# A process that dies may still be writing there.
	for pause in 0.05 0.1 0.2 0.5 1; do
		[ -z "$dir" ] || rm -rf "$dir" && break
		sleep "$pause"
	done
	if [ -d "$dir" ]; then
		echo "cannot remove $dir"
		status=1
	fi
	# Something did not end when it was asked to.
	[ "$n" -lt 500 ] || kill -s KILL 0
	exit "$status"
}

main() {
	trap '' INT QUIT PIPE # what halt sends to the group, and words to a parent who is gone
	exec 3<&0 </dev/null
	read -r password <&3 || exit 1
	trap stop TERM HUP
	(
		while read -r _; do :; done
		while kill -s TERM "$$"; do sleep 1; done # again: not every shell is free of races between trap and wait
	) <&3 >/dev/null &
	watcher=$!
	exec 3<&-

	umask 077
	for parent in "$2" "$3"; do
		dir=$parent/$name # first, so that it is removed even if we are stopped right after mkdir
		mkdir "$dir" && break
	done
	if [ ! -d "$dir" ]; then
		echo "cannot make a directory in $2 or $3"
		finish
	fi
	exec 2>>"$dir/log"
	shift 3

	prepare "$@" || finish
	phase=serve
	: >"$dir/log" # what is said from here on explains a failure
	echo serving
	serve "$@"
	finish
}
