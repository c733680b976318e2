# pgmq: starts a private Postgres, stops it when standard input ends, and leaves nothing behind.
#
# The script after this text defines three functions: prepare and serve run commands, halt asks the running command
# to end. All processes stay in this process group, so one kill reaches all of them, including wrapper scripts.
name=$1 dir=
phase=prepare
n=0

# run runs a command in the background, because a trap interrupts only the wait for a background command.
run() {
	"$@" </dev/null >>"$dir/log" 2>&1 &
	wait "$!"
}

# stop runs on SIGTERM. It repeats halt, because a process that has just started may miss the first signal.
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
	kill -s TERM 0 # all other processes of the group
	# A process that is ending may still write to the directory.
	for pause in 0.05 0.1 0.2 0.5 1; do
		[ -z "$dir" ] || rm -rf "$dir" && break
		sleep "$pause"
	done
	if [ -d "$dir" ]; then
		echo "cannot remove $dir"
		status=1
	fi
	# A process did not end when halt asked it to.
	[ "$n" -lt 500 ] || kill -s KILL 0
	exit "$status"
}

main() {
	trap '' INT QUIT PIPE # halt signals the whole group; the parent may no longer read our output
	exec 3<&0 </dev/null
	read -r password <&3 || exit 1
	trap stop TERM HUP
	(
		while read -r _; do :; done
		while kill -s TERM "$$"; do sleep 1; done # repeat: some shells have races between trap and wait
	) <&3 >/dev/null &
	watcher=$!
	exec 3<&-

	umask 077
	for parent in "$2" "$3"; do
		dir=$parent/$name # set before mkdir, so that finish removes it even if we stop right after mkdir
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
	: >"$dir/log" # only output from here on explains a failure
	echo serving
	serve "$@"
	finish
}
