#!/bin/bash
# What bash would offer for a command line: completion.sh SKEP WORD... The last word is the one
# being typed. Colons are words of their own, as bash splits them.
set -eu
skep=$1
shift
eval "$("$skep" help --completion bash)"
compopt() { :; }
COMP_WORDS=("$skep" "$@")
COMP_CWORD=$#
COMPREPLY=()
_skep
echo "${COMPREPLY[*]}"
