#!/usr/bin/env python3
"""Does the soundness laboratory see an unsound verifier?

Each row of MUTATIONS breaks one rule of src/verify, as such rules have been broken in verifiers: the
file is compiled anew with one text in place of another, the laboratory is linked with it, and runs
until something escapes. Nothing in the source or build tree is changed.

    tests/oracle/mutations.py BUILD [PROGRAMS] [WORD]

BUILD has a built tests/oracle/test_oracle_soundness; at most PROGRAMS (60000) are tried; WORD takes
only rows with it in their name. Prints, for each, in which program it was found, and by what.
"""
import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]

# area, what is broken, file, text, text in its place
MUTATIONS = [
    ("scalar", "32-bit bounds of and, or, xor are left as they were (CVE-2021-3490)", "scalar_alu.c",
     "\t\tbounds(&d->low, &s->low, skep_tnum_low(d->bits), 32);",
     "\t\tif (op != SKEP_AND && op != SKEP_OR && op != SKEP_XOR)\n"
     "\t\t\tbounds(&d->low, &s->low, skep_tnum_low(d->bits), 32);"),
    ("scalar", "a 32-bit move of a constant copies its sign up (CVE-2017-16995)", "alu.c",
     "wide ? (uint64_t)(int64_t)insn->imm : (uint32_t)insn->imm", "(uint64_t)(int64_t)insn->imm"),
    ("scalar", "one end of 64-bit bounds tells of the lower half (CVE-2021-31440)", "scalar.c",
     "\tif (min >> 32 == max >> 32) {",
     "\tif (min <= UINT32_MAX)\n\t\tlearn_u(low, (uint32_t)min, UINT32_MAX);\n"
     "\tif (min >> 32 == max >> 32) {"),
    ("scalar", "loads that extend a sign are taken for plain ones", "access.c",
     "\tif (at->sign_extends)\n\t\tskep_scalar_sign_extend(&reg->value, at->bytes, 64);\n\telse\n",
     ""),
    ("scalar", "known bits of a product of unknowns", "scalar_alu.c",
     "[SKEP_MUL >> 4] = {bounds_mul, skep_tnum_mul}", "[SKEP_MUL >> 4] = {bounds_mul, skep_tnum_and}"),
    ("scalar", "the sign of a 32-bit s>> is that of 64 bits", "scalar_alu.c",
     "d->bits = skep_tnum_arsh(bits, by, width)", "d->bits = skep_tnum_arsh(bits, by, 64)"),
    ("scalar", "a link's distance outlives it", "alu.c",
     "\treg->id = 0;\n\treg->off = 0;\n}", "\treg->id = 0;\n}"),
    ("branch", "32-bit comparisons tell of all 64 bits (CVE-2020-8835)", "scalar_branch.c",
     "\tskep_scalar_sync(dst);\n\tskep_scalar_sync(src);",
     "\tif (width == 32)\n\t\tlearn_u(&dst->full, dst->low.umin, dst->low.umax);\n"
     "\tskep_scalar_sync(dst);\n\tskep_scalar_sync(src);"),
    ("branch", "signed <= is taken for <", "scalar_branch.c",
     "assume_s(x, y, what == S_LESS)", "assume_s(x, y, true)"),
    ("branch", "one of several bits is set: all are", "scalar_branch.c",
     "\tif (value && !(value & (value - 1)))\n", "\tif (value)\n"),
    ("branch", "> is decided where it is not", "scalar_branch.c",
     "sure(x->umax <= y->umin, x->umin > y->umax)", "sure(x->umax <= y->umin, x->umin >= y->umax)"),
    ("spill", "a number that is cut off keeps its id", "stack.c",
     "\tif (!fits) {\n", "\tif (false) {\n"),
    ("spill", "a fill that copies a sign up keeps the id (Linux 6.18)", "stack.c",
     "(at->sign_extends && width_of(reg) == 8 * at->bytes)", "false"),
    ("spill", "bytes stored into a spilled number leave it whole", "stack.c",
     "\tscrub(&frame->slots[slot_of(at->off)]);\n", ""),
    ("spill", "a part of a spilled number is not cut to its size", "access.c",
     "skep_scalar_zero_extend(&reg->value, at->bytes)", "(void)reg"),
    ("packet", "one byte more than was compared is there", "packet_range.c",
     "reg->off + less};", "reg->off + less + 1};"),
    ("packet", "what moves the packet leaves pointers to it", "helper_call.c",
     "\tif (!err && call.changes_packet)", "\tif (false)"),
    ("packet", "fewer bytes that are there are like more", "same.c",
     "return old->range <= now->range && old->off", "return old->off"),
    ("pointer", "what may be NULL may be moved (CVE-2022-23222)", "pointer.c",
     "\tif (ptr->flags & PTR_MAYBE_NULL)\n\t\treturn verify_refuse(v, NULLABLE_ARITHMETIC, "
     "insn->dst, KIND_TEXT(ptr));\n", ""),
    ("pointer", "an unknown offset may reach one byte too far", "region.c",
     "(int32_t)((int64_t)bounds->umax + at->off)", "(int32_t)((int64_t)bounds->umax + at->off - 1)"),
    ("precision", "no number must be exact", "same.c",
     "\tif (!old->precise && c->likeness == LIKE_SAFE)", "\tif (c->likeness == LIKE_SAFE)"),
    ("precision", "what was added is not wanted (CVE-2023-2163)", "backtrack.c",
     "\tif (insn->code & SKEP_X && insn->src != SKEP_R10)",
     "\tif (op == SKEP_MOV && insn->code & SKEP_X && insn->src != SKEP_R10)"),
    ("precision", "of two that are compared only one is wanted", "backtrack.c",
     "\tif (!(flags & STEP_SRC_SPILL))\n\t\tset_reg(w, insn->src);", ""),
    ("precision", "a number that was spilled is lost on the way back", "backtrack.c",
     "\tif ((insn->code & 7) == SKEP_STX)\n\t\tset_reg(w, insn->src);\n", ""),
    ("precision", "a NULL for a global function need be one on one path only (Linux 6.18)",
     "functions.c", "\tif (verify_reg_is_null(reg))\n\t\treturn verify_mark_precise(v, regno);",
     "\tif (verify_reg_is_null(reg))\n\t\treturn 0;"),
    ("pruning", "upper bounds need not be within", "same.c",
     "return old->umin <= now->umin && old->umax >= now->umax && old->smin",
     "return old->umin <= now->umin && old->smin"),
    ("pruning", "what is in slots is always alike", "same.c",
     "\tif (a && b)\n\t\treturn reg_safe(c, a, b);", "\tif (a && b)\n\t\treturn true;"),
    ("pruning", "any number of the same id is like another", "same.c",
     "return number_ids_pair(c, old->id, now->id) && value_within(&old->value, &now->value);",
     "return true;"),
    ("pruning", "pointers at other offsets are alike", "same.c",
     "return all_but_value_same(old, now) && value_within(&old->value, &now->value) &&\n",
     "return kind_same(old, now) &&\n"),
]


class Lab:
    def __init__(self, build, folder):
        self.build, self.folder = build, pathlib.Path(folder)
        commands = json.loads((build / "compile_commands.json").read_text())
        self.compile = {(build / c["file"]).resolve(): c["command"] for c in commands}
        self.objects = sorted((build / "tests/oracle/test_oracle_soundness.p").glob("*.o"))
        self.archives = [build / f"src/{n}/libskep_{n}.a"
                         for n in "vm verify helper image map btf isa base".split()]

    def build_with(self, name, text):
        """The laboratory with src/verify/@name as @text; returns its path."""
        source, out = self.folder / name, self.folder / "mutated.o"
        source.write_text(text)
        command = self.compile[(ROOT / "src/verify" / name).resolve()]
        command = re.sub(r" -M(D|Q \S+|F \S+)", "", command)
        command = re.sub(r" -o \S+ -c \S+$", f" -Wno-error -w -o {out} -c {source}", command)
        subprocess.run(shlex.split(command), cwd=self.build, check=True)
        lab = self.folder / "lab"
        subprocess.run(["cc", "-o", lab, *self.objects, out, "-Wl,--start-group", *self.archives,
                        "-Wl,--end-group", "-lcmocka", "-lpthread", "-lz", "-lm"], check=True)
        return lab


def run(lab, programs):
    """Return (how many programs it took, what was found) or None."""
    env = {"SKEP_SOUND_PROGRAMS": str(programs), "SKEP_SOUND_FINDINGS": "1", "SKEP_NO_SHRINK": "1"}
    said = subprocess.run([lab], env=env, capture_output=True, text=True, check=False)
    text = said.stdout + said.stderr
    found = re.search(r"^(it does what.*|the verdict depends.*|a state contra.*)$", text, re.M)
    took = re.search(r"^(\d+) programs in", text, re.M)
    if not found:
        return (None, text.strip().splitlines()[-1]) if said.returncode else None
    return took.group(1) if took else "?", found.group(1)


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    programs = int(sys.argv[2]) if len(sys.argv) > 2 else 60000
    word = sys.argv[3] if len(sys.argv) > 3 else ""
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(build, folder)
        for area, what, name, old, new in MUTATIONS:
            if word not in f"{area} {what}":
                continue
            text = (ROOT / "src/verify" / name).read_text()
            if text.count(old) != 1:
                sys.exit(f"{name}: {text.count(old)} times: {old}")
            found = run(lab.build_with(name, text.replace(old, new)), programs)
            missed += not found
            print(f"{area:10} {found[0] if found else 'missed':>8}  {what}\n"
                  f"{'':21}{found[1][:140] if found else ''}", flush=True)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
