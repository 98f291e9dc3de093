"""links.py SKEP: hold what skep tells of this machine's links against bpftool. Prints how many are the same."""

import json
import subprocess
import sys


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout


def by_id(links):
    return {link["id"]: link for link in links}


def skep_links():
    lines = run(sys.argv[1], "prog", "links", "--json").decode().splitlines()
    return by_id(json.loads(line) for line in lines)


def bpftool_links():
    return by_id(json.loads(run("bpftool", "-j", "link", "show")))


SAME = ("prog_id", "tp_name", "attach_type", "target_obj_id", "target_btf_id", "cgroup_id",
        "target_name", "netns_ino", "ifindex", "map_id")


def differences(ours, theirs):
    # A bpftool older than a type or a hook tells its number.
    if isinstance(theirs["type"], str) and ours["type"] != theirs["type"]:
        yield f"type {ours['type']} {theirs['type']}"
    for key in SAME:
        if key in theirs and isinstance(theirs[key], type(ours.get(key))) and ours[key] != theirs[key]:
            yield f"{key} {ours.get(key)} {theirs[key]}"


def main():
    # Links of others come and go: what is in both lists, before and after, is compared.
    before, ours, theirs = bpftool_links(), skep_links(), bpftool_links()
    stay = [id for id in before if id in theirs]
    missing = [id for id in stay if id not in ours]
    wrong = [f"{id}: {what}" for id in stay if id in ours
             for what in differences(ours[id], theirs[id])]
    for line in [f"{id}: not told" for id in missing] + wrong:
        print(line)
    print(f"{len(stay) - len(missing)} of {len(stay)} links told, {len(wrong)} differences")
    sys.exit(bool(missing or wrong))


main()
