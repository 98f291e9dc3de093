# shellcheck shell=bash
# For commands of blocks that have something run beside them: waits for what it does, not for a time,
# which is too short on some machine. Each gives up when the process has ended.

# while_alive PID COMMAND...: until the command succeeds.
while_alive()
{
	local pid=$1
	shift
	until "$@"; do
		kill -0 "$pid" 2>/dev/null || return 1
		sleep 0.02
	done
}

# said PID FILE WORDS: they are in what it writes to the file.
said()
{
	while_alive "$1" grep -qse "$3" "$2"
}

# attached PID FILE: its probes are in place, as it says on standard error, which is the file.
attached()
{
	said "$1" "$2" PROBES_ATTACHED
}

catches_now()
{
	local mask
	mask=$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$1/status" 2>/dev/null)
	[ $((0x${mask:-0} & 2)) -ne 0 ]
}

# catches PID: an interrupt would not just end it.
catches()
{
	while_alive "$1" catches_now "$1"
}

has_used()
{
	local words
	read -r -a words <"/proc/$1/stat" 2>/dev/null && [ $((words[13] + words[14])) -ge "$2" ]
}

# used PID TICKS: of a CPU's time.
used()
{
	while_alive "$1" has_used "$1" "$2"
}
