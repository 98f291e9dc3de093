#!/usr/bin/python3
"""Where pythons.def, phps.def and perls.def say that interpreters have what, against the headers of the
versions that are installed with theirs."""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from checks import run
from pythons import DEF, SKIPPED, installed, known

HEAD = r"""
#define Py_BUILD_CORE 1
#include <Python.h>
#include <stddef.h>
#include <stdio.h>
#if PY_VERSION_HEX >= 0x030b0000
#include <internal/pycore_frame.h>
#else
#include <frameobject.h>
#include <code.h>
#endif
#include <internal/pycore_interp.h>
#include <internal/pycore_runtime.h>
#define NONE 65535
#define OFF(type, field) (int)offsetof(type, field)
int main(void)
{
"""
OLD = {"current": "OFF(_PyRuntimeState, gilstate.tstate_current)",
       "key": "OFF(_PyRuntimeState, gilstate.autoTSSkey)"}
FRAME = {"start": "24", "code": "OFF(PyFrameObject, f_code) - 24",
         "previous": "OFF(PyFrameObject, f_back) - 24", "frame": "OFF(PyThreadState, frame)",
         "instr": "OFF(PyFrameObject, f_lasti) - 24", "inner": "NONE",
         "bytes": "OFF(PyFrameObject, f_lasti) - 24 + (int)sizeof(int)", "entry": "0",
         "instructions": "0", "name": "OFF(PyCodeObject, co_name)"}
INNER = {"frame": "OFF(PyThreadState, cframe)", "inner": "OFF(_PyCFrame, current_frame)"}
NEW = {"start": "0", "code": "OFF(_PyInterpreterFrame, f_code)",
       "previous": "OFF(_PyInterpreterFrame, previous)",
       "instr": "OFF(_PyInterpreterFrame, prev_instr)", "bytes": "72",
       "entry": "OFF(_PyInterpreterFrame, owner)",
       "instructions": "OFF(PyCodeObject, co_code_adaptive)",
       "name": "OFF(PyCodeObject, co_qualname)"}
KEY = {"current": "0", "key": "OFF(_PyRuntimeState, autoTSSkey)"}
ALL = {"thread_id": "OFF(PyThreadState, thread_id)",
       "first_line": "OFF(PyCodeObject, co_firstlineno)",
       "file": "OFF(PyCodeObject, co_filename)", "table": "OFF(PyCodeObject, co_linetable)",
       "ascii": "(int)sizeof(PyASCIIObject)", "compact": "(int)sizeof(PyCompactUnicodeObject)"}
VERSIONS = {
    (3, 9): ALL | OLD | FRAME | {"table": "OFF(PyCodeObject, co_lnotab)"},
    (3, 10): ALL | OLD | FRAME,
    (3, 11): ALL | OLD | NEW | INNER | {"entry": "OFF(_PyInterpreterFrame, is_entry)"},
    (3, 12): ALL | KEY | NEW | INNER,
    (3, 13): ALL | KEY | NEW | {
        "frame": "OFF(PyThreadState, current_frame)", "inner": "NONE",
        "code": "OFF(_PyInterpreterFrame, f_executable)",
        "instr": "OFF(_PyInterpreterFrame, instr_ptr)"},
}
COLUMNS = ["current", "key", "thread_id", "frame", "inner", "start", "bytes", "code", "previous",
           "instr", None, "entry", None, None, None, "instructions", None, "first_line", "file",
           "name", "table", None, None, "ascii", "compact"]


def includes_of(python):
    done = subprocess.run([python, "-c", "import sysconfig; "
                           "print(sysconfig.get_path('include'))"],
                          capture_output=True, text=True, check=True)
    folder = Path(done.stdout.strip())
    return folder if (folder / "internal/pycore_runtime.h").exists() else None


def compiled(head, fields, options):
    """{name: what the headers say}"""
    with tempfile.TemporaryDirectory() as folder:
        return compiled_in(folder, head, fields, options)


def compiled_in(folder, head, fields, options):
    prints = "".join(f'\tprintf("{name} %d\\n", {expression});\n'
                     for name, expression in fields.items())
    source = Path(folder, "offsets.c")
    source.write_text(f"{head}{prints}\treturn 0;\n}}\n", encoding="ascii")
    subprocess.run(["gcc", "-w", *options, "-o", source.with_suffix(""), source], check=True)
    text = subprocess.run([source.with_suffix("")], capture_output=True, text=True,
                          check=True).stdout
    return {name: int(value) for name, value in map(str.split, text.splitlines())}


PHP_HEAD = r"""
#include <php.h>
#include <zend_compile.h>
#include <zend_globals.h>
#include <stddef.h>
#include <stdio.h>
#define OFF(type, field) (int)offsetof(type, field)
int main(void)
{
"""
PHP = {"version": "PHP_MAJOR_VERSION * 100 + PHP_MINOR_VERSION",
       "current": "OFF(zend_executor_globals, current_execute_data)",
       "opline": "OFF(zend_execute_data, opline)", "func": "OFF(zend_execute_data, func)",
       "flags": "OFF(zend_execute_data, This.u1.type_info) + 2",
       "previous": "OFF(zend_execute_data, prev_execute_data)",
       "name": "OFF(zend_op_array, function_name)", "scope": "OFF(zend_op_array, scope)",
       "last": "OFF(zend_op_array, last)", "opcodes": "OFF(zend_op_array, opcodes)",
       "file": "OFF(zend_op_array, filename)", "op_bytes": "(int)sizeof(zend_op)",
       "line": "OFF(zend_op, lineno)", "top": "ZEND_CALL_TOP >> 16",
       "class_name": "OFF(zend_class_entry, name)", "length": "OFF(zend_string, len)",
       "bytes": "OFF(zend_string, val)"}


PERL_HEAD = r"""
#define PERL_CORE
#define PERL_NO_GET_CONTEXT
#include <EXTERN.h>
#include <perl.h>
#include <stddef.h>
#undef printf
#define OFF(type, field) (int)offsetof(type, field)
int main(void)
{
"""
PERL = {"stack": "OFF(PerlInterpreter, Icurstackinfo)", "cop": "OFF(PerlInterpreter, Icurcop)",
        "phase": "OFF(PerlInterpreter, Iphase)", "contexts": "OFF(PERL_SI, si_cxstack)",
        "previous": "OFF(PERL_SI, si_prev)", "last": "OFF(PERL_SI, si_cxix)",
        "last_sub": "OFF(PERL_SI, si_cxsubix)", "bytes": "(int)sizeof(PERL_CONTEXT)",
        "old_cop": "OFF(PERL_CONTEXT, blk_oldcop)", "return_op": "OFF(PERL_CONTEXT, blk_sub.retop)",
        "old_sub": "OFF(PERL_CONTEXT, blk_sub.old_cxsubix)", "cv": "OFF(PERL_CONTEXT, blk_sub.cv)",
        "line": "OFF(COP, cop_line)", "cop_check": "OFF(COP, cop_stashoff)",
        "cop_file": "OFF(COP, cop_file)", "kind": "OFF(COP, op_ppaddr) + 16",
        "statement": "OP_NEXTSTATE", "check": "OFF(XPVCV, xcv_stash)",
        "name": "OFF(XPVCV, xcv_gv_u)", "file": "OFF(XPVCV, xcv_file)",
        "flags": "OFF(XPVCV, xcv_flags)", "glob_name": "OFF(XPVGV, xiv_u)",
        "glob_package": "OFF(XPVGV, xnv_u)",
        "package_name": "OFF(struct xpvhv_with_aux, xhv_aux.xhv_name_u)",
        "package_names": "OFF(struct xpvhv_with_aux, xhv_aux.xhv_name_count)"}
# What program.c and perl.c take for the same in all.
PERL_SAME = {"CXt_NULL": 0, "CXt_BLOCK": 2, "CXt_SUB": 9, "CXt_EVAL": 11, "CXp_SUB_RE": 0x40,
             "CXp_SUB_RE_FAKE": 0x80, "CXp_EVALBLOCK": 0x40, "PERL_PHASE_RUN": 4,
             "OFF(PERL_CONTEXT, cx_type)": 0, "OFF(PERL_CONTEXT, blk_eval.retop)": 48,
             "OFF(PERL_CONTEXT, blk_eval.old_cxsubix)": 56, "OFF(PERL_CONTEXT, blk_format.cv)": 72,
             "OFF(CV, sv_any)": 0, "OFF(CV, sv_flags)": 12, "SVf_OOK": 0x02000000,
             "CVf_NAMED": 0x8000, "CVf_LEXICAL": 0x10000,
             "CVf_ANON | CVf_CLONED": 0xc0, "SVt_PVHV": 12, "OFF(HEK, hek_len)": 4,
             "OFF(HEK, hek_key)": 8, "HVhek_UTF8": 1}


def number(word):
    return 65535 if word == "SKEP_INTERP_NO_OFF" else int(word)


def check_offsets(includes):
    for version, include in includes.items():
        row = {name: number(word) for name, word in zip(COLUMNS, known()[version]) if name}
        found = compiled(HEAD, VERSIONS[version],
                         ["-I", include, "-I", include / "internal"])
        assert row == found, f"{version}: {row}, by its headers {found}"
        print(f"{version}: {len(found)} offsets")


def check_offsets_of_php(options):
    found = compiled(PHP_HEAD, PHP, options)
    rows = {words[0] * 100 + words[1]: words[2:] for words in rows_of("PHP", "phps.def")}
    assert found["version"] in rows, f"no row for {found['version']}"
    row = dict(zip(list(PHP)[1:], rows[found["version"]]))
    row |= {"version": found["version"], "top": 2, "class_name": 8, "length": 16, "bytes": 24}
    assert row == found, f"{row}, by its headers {found}"


def check_offsets_of_perl(options):
    fields = {"version": "PERL_VERSION"} | PERL | {
        f"same{i}": f"(int)({expression})" for i, expression in enumerate(PERL_SAME)}
    found = compiled(PERL_HEAD, fields, options)
    rows = {words[1]: words[2:] for words in rows_of("PERL", "perls.def")}
    assert found["version"] in rows, f"no row for {found['version']}"
    row = {"version": found["version"]} | dict(zip(PERL, rows[found["version"]]))
    row |= {f"same{i}": value for i, value in enumerate(PERL_SAME.values())}
    assert row == found, f"{row}, by its headers {found}"


def rows_of(name, file):
    text = DEF.with_name(file).read_text()
    return [[int(word) for word in row.split(",")]
            for row in re.findall(rf"^{name}\((.*)\)$", text, re.M)]


def php_options():
    if not shutil.which("php-config"):
        return None
    return subprocess.run(["php-config", "--includes"], capture_output=True, text=True,
                          check=True).stdout.split()


def perl_options():
    if not shutil.which("perl"):
        return None
    text = subprocess.run(["perl", "-MConfig", "-e", "print $Config{archlibexp}"],
                          capture_output=True, text=True, check=True).stdout
    return ["-D_GNU_SOURCE", "-I", f"{text}/CORE"] if Path(text, "CORE/perl.h").exists() else None


def main():
    includes = {version: includes_of(python) for version, python in installed().items()}
    includes = {version: folder for version, folder in includes.items() if folder}
    php, perl = php_options(), perl_options()
    if not includes and not php and not perl:
        print("not here: headers of an interpreter that is known")
        return SKIPPED
    status = run([check_offsets], includes) if includes else 0
    status |= run([check_offsets_of_perl], perl) if perl else 0
    return status | (run([check_offsets_of_php], php) if php else 0)


if __name__ == "__main__":
    sys.exit(main())
