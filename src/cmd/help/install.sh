#!/bin/sh
# Part of meson install: the manual pages and the completions that the program makes of its own
# tables. The program is the first argument.
set -eu
skep=$1
prefix=$MESON_INSTALL_DESTDIR_PREFIX

man=$prefix/share/man/man1
mkdir -p "$man"
"$skep" help --man >"$man/skep.1"
for command in $("$skep" help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
	"$skep" help --man "$command" >"$man/skep-$command.1"
done

# Of tools, and of their other names.
"$skep" tool list --json | sed 's/^{"name": "\([^"]*\)".*/\1/' | while read -r tool; do
	"$skep" help --man "$tool" >"$man/skep-$tool.1"
done

# completion SHELL FILE: where each shell looks
completion()
{
	mkdir -p "$(dirname "$prefix/share/$2")"
	"$skep" help --completion "$1" >"$prefix/share/$2"
}
completion bash bash-completion/completions/skep
completion zsh zsh/site-functions/_skep
completion fish fish/vendor_completions.d/skep.fish
